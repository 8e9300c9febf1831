import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import path from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { SamovarError } from "@samovar/protocol";
import { embedInThread } from "./storage-thread.ts";
import { syncFolder } from "./sync-folder.ts";

const ALL_PAGES = 0x7fff_ffff;

/**
 * Copies a database that is in use to a file that isn't there yet: what was committed when it began, and nothing after.
 * Writers go on meanwhile; their log only can't be cut. The copy gets its name when it is whole and on disk;
 * large inputs and results, which lie in files here, are in it. Resolves to the names of those that are lost.
 */
export async function backUpSqliteFile(file: string, to: string): Promise<readonly string[]> {
  const partial = `${to}.partial`;
  refuseTaken(to);
  try {
    // Inputs and hashes of tokens are for its owner alone. What a try that was killed left is overwritten.
    await (await open(partial, "w", 0o600)).close();
    const source = new DatabaseSync(file, { readOnly: true });
    try {
      // All pages in one step, in a thread of Node's: between two steps a writer would make it begin anew, without end.
      await backup(source, partial, { rate: ALL_PAGES });
    } finally {
      source.close();
    }
    const lost = await embedInThread({ copy: partial, original: file });
    refuseTaken(to);
    await rename(partial, to);
    await syncFolder(path.dirname(to));
    return lost;
  } catch (error) {
    await rm(partial, { force: true }).catch(() => {});
    if (error instanceof SamovarError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SamovarError("storage_failed", `${file} could not be copied to ${to}, check its folder and that there is room: ${reason}`, { cause: error });
  }
}

function refuseTaken(to: string): void {
  if (existsSync(to)) throw new SamovarError("conflict", `${to} is there already: choose another name, or remove it first`);
}
