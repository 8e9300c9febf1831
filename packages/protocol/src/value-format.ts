/** The extension types of `values.ts`. Written on both sides of a connection, so never renumbered. */
export const EXT_UNDEFINED = 0;
export const EXT_MAP = 1;
export const EXT_SET = 2;
export const EXT_BIGINT = 3;
export const EXT_ERROR = 4;
export const EXT_TIMESTAMP = -1;

/** Nesting beyond this is refused on both sides, so that no input can exhaust the stack. */
export const MAX_DEPTH = 512;

/** `["user", "tags", 2]` as `$.user.tags[2]`. */
export function formatPath(path: readonly (string | number)[]): string {
  let text = "$";
  for (const key of path) text += typeof key === "number" ? `[${key}]` : /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  return text;
}
