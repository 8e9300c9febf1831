import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { SamovarError } from "@samovar/protocol";
import { isLargeName, toLargeSize } from "./large-file-name.ts";
import { syncFolder } from "./sync-folder.ts";

/** A file that the database names is gone, or not what was written: it won't be there later either. */
export class LostFileError extends SamovarError {
  readonly isLost = true;

  static is(error: unknown): error is LostFileError {
    return error instanceof Error && "isLost" in error;
  }

  constructor(message: string, options?: ErrorOptions) {
    super("storage_failed", message, options);
  }
}

/**
 * Large inputs and results, each a file that is on disk before the commit that names it, and removed after the one that
 * doesn't name it any more. What a crash leaves between is removed at the next start.
 */
export class LargeFiles {
  readonly #folder: string;
  readonly #underWay = new Set<Promise<unknown>>();
  #holds = 0;
  #heldBack: string[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Resolves to its name, when it is on disk. */
  write(bytes: Uint8Array): Promise<string> {
    return this.#track(this.#write(bytes));
  }

  /** Rejects with a `LostFileError`, or with what passes (no descriptors, no memory). */
  async read(name: string): Promise<Uint8Array> {
    // In messages for whoever asks: not where the home is.
    const shown = path.join(path.basename(path.dirname(this.#folder)), path.basename(this.#folder), name);
    const bytes = await readFile(path.join(this.#folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") throw new LostFileError(`${shown} is gone: put it back from a copy of the home`, { cause: error });
      throw new SamovarError("storage_failed", `${shown} can't be read: ${error.code ?? error.message}`, { cause: error });
    });
    const size = toLargeSize(name);
    if (bytes.length !== size) throw new LostFileError(`${shown} is damaged, put it back from a copy of the home: it has ${bytes.length} bytes of ${size}`);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Nothing names them any more. One that can't be removed now is at the next start. */
  async remove(names: readonly string[]): Promise<void> {
    if (this.#holds > 0) this.#heldBack.push(...names);
    else await this.#track(Promise.allSettled(names.map((name) => rm(path.join(this.#folder, name), { force: true }))));
  }

  /** Removes what is there and not among these. */
  async removeOthers(named: readonly string[]): Promise<number> {
    const kept = new Set(named);
    const there = await readdir(this.#folder).catch(() => []);
    const others = there.filter((name) => isLargeName(name) && !kept.has(name));
    await this.remove(others);
    return others.length;
  }

  /** As long as `work` goes on nothing is removed. */
  async keepAllDuring<T>(work: () => Promise<T>): Promise<T> {
    this.#holds += 1;
    try {
      return await work();
    } finally {
      this.#holds -= 1;
      if (this.#holds === 0) await this.remove(this.#heldBack.splice(0));
    }
  }

  /** What is under way now is over. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  async #write(bytes: Uint8Array): Promise<string> {
    const name = `${randomBytes(16).toString("hex")}-${bytes.length}`;
    const file = path.join(this.#folder, name);
    try {
      const made = await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      if (made !== undefined) for (const folder of [path.dirname(this.#folder), path.dirname(path.dirname(this.#folder))]) await syncFolder(folder);
      const handle = await open(file, "wx", 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await syncFolder(this.#folder);
      return name;
    } catch (error) {
      await rm(file, { force: true }).catch(() => {});
      const isFull = error instanceof Error && "code" in error && error.code === "ENOSPC";
      const reason = error instanceof Error ? error.message : String(error);
      const message = isFull ? `The disk of ${file} is full, free some space: ${reason}` : `${file} could not be written: ${reason}`;
      throw new SamovarError("storage_failed", message, { cause: error });
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const over: Promise<unknown> = work.then(
      () => this.#underWay.delete(over),
      () => this.#underWay.delete(over),
    );
    this.#underWay.add(over);
    return work;
  }
}
