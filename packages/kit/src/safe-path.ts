const MAX_PATH_LENGTH = 1_024;
/** What file systems take as one name. */
const MAX_PART_BYTES = 255;

/**
 * Why this can't be the path of a file below some folder, as it crosses machines: relative, forward slashes, no way
 * up or out. Undefined if it can.
 */
export function describePathProblem(path: string): string | undefined {
  if (path === "") return "is empty";
  if (path.length > MAX_PATH_LENGTH) return `is longer than ${MAX_PATH_LENGTH} characters`;
  if (path.includes("\0")) return "contains a NUL character";
  if (path.includes("\\")) return "contains a backslash";
  if (path.startsWith("/") || /^[A-Za-z]:\//.test(path)) return "is absolute";
  for (const part of path.split("/")) {
    if (part === "") return "has an empty part";
    if (part === "." || part === "..") return `contains "${part}"`;
    if (Buffer.byteLength(part) > MAX_PART_BYTES) return `has a part longer than ${MAX_PART_BYTES} bytes`;
  }
  return undefined;
}
