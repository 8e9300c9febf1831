import { statSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import type { FileId } from "@samovar/bundler";

/** Editors write several times for one save; what comes within this is one change. */
const GATHER_MS = 25;

/**
 * Watches folders, not files, because editors replace a file by another of the same name. Which changes matter is
 * decided by whoever listens: after a build that gives the same code nothing happens.
 */
export class FolderWatcher {
  readonly #onChange: () => void;
  readonly #onProblem: (message: string) => void;
  readonly #except: readonly FileId[];
  readonly #watchers = new Map<string, FSWatcher>();
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  /** `except`: files whose changes are no news, such as what this command's own output is written to. */
  constructor(onChange: () => void, onProblem: (message: string) => void, except: readonly FileId[] = []) {
    this.#except = except;
    this.#onChange = onChange;
    this.#onProblem = onProblem;
  }

  /** From now on these folders and no others. */
  update(folders: ReadonlySet<string>): void {
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#add(folder);
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.update(new Set());
  }

  #add(folder: string): void {
    try {
      const watcher = watch(folder, (_event, name) => {
        if (name === null || !(isNoise(name) || this.#isExcepted(join(folder, name)))) this.#gather();
      });
      // A folder that was removed: its parent tells of it.
      watcher.on("error", () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || this.#told) return;
      this.#told = true;
      this.#onProblem(
        code === "ENOSPC" || code === "EMFILE"
          ? `Not all folders can be watched (${code}): edits there are not seen. Raise fs.inotify.max_user_watches, or name folders that the code doesn't need in .samovarignore`
          : `${folder} can't be watched (${code}): edits there are not seen`,
      );
    }
  }

  #isExcepted(file: string): boolean {
    if (this.#except.length === 0) return false;
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats !== undefined && this.#except.some(({ dev, ino }) => dev === stats.dev && ino === stats.ino);
  }

  #gather(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onChange, GATHER_MS);
  }
}

/** What editors and git write beside the files that people mean. */
function isNoise(name: string): boolean {
  return (
    name === ".git" ||
    name === "node_modules" ||
    name.endsWith("~") ||
    name.endsWith(".swp") ||
    name.endsWith(".swx") ||
    name === "4913" ||
    name.startsWith(".#")
  );
}
