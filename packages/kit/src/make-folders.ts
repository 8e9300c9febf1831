import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * A folder with all that it lies in, for paths that people type. As `mkdirSync` with `recursive`, except that it ends
 * where nothing can be made: Node 26 tries for ever where a folder is there and says ENOENT to what is made in it, as
 * /proc does.
 */
export function makeFolders(path: string, mode?: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (code !== "ENOENT" || parent === path || isThere(parent)) throw error;
    makeFolders(parent, mode);
    mkdirSync(path, { mode });
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
