import { SamovarError } from "@samovar/protocol";

/** A home that can't be read or written is told as that. */
export async function inHome<T>(home: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SamovarError("storage_failed", `The home ${home} can't be used: ${message}`, {
      cause: error,
      fields: { fix: code === "ENOSPC" ? "Free some space on its disk" : "Set SAMOVAR_HOME to a folder of your own" },
    });
  }
}
