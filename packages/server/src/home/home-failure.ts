import { SamovarError } from "@samovar/protocol";

/** What the file system says when the home itself is the trouble, and nothing of ours. */
const OF_THE_DISK = new Set(["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "ENOTDIR", "ENOENT", "EIO", "ENAMETOOLONG", "EEXIST"]);

/** A start that failed on the home's file system, told as that; anything else as it is. */
export function toHomeFailure(error: unknown, root: string): unknown {
  if (error instanceof SamovarError) return error;
  const text = String((error as Error | null)?.message ?? error);
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const isDisk = (code !== undefined && OF_THE_DISK.has(code)) || /no space left on device|read-only file system/i.test(text);
  if (!isDisk) return error;
  return new SamovarError(
    "storage_failed",
    `The home ${root} can't be used: ${text}. It has to be a folder that you may write to, on a disk with room; set SAMOVAR_HOME to another`,
    { cause: error },
  );
}
