import { createHash, randomUUID } from "node:crypto";
import { lstat, mkdir, open, readFile, rename, rm, symlink, writeFile, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DEFAULT_OPTIONS, SamovarError, type FunctionManifest } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { PARTIAL, markUsed } from "../home/retention.ts";
import { staysInside, walkUntrusted } from "./untrusted-tree.ts";

const CHUNK_BYTES = 1024 * 1024;

export interface KeptBuild {
  readonly key: string;
  readonly dir: string;
  readonly builtAtMs: number;
}

/**
 * What onBuild hooks wrote, kept by what it depends on: the app, the image and the hooks' own text and keys, nothing of
 * the handler. Only what the build added or changed is kept, so that later code lies on top of it.
 */
export class BuildStore {
  readonly #dir: string;
  readonly #imageId: string;
  readonly #clock: Clock;

  constructor(dir: string, imageId: string, clock: Clock) {
    this.#dir = dir;
    this.#imageId = imageId;
    this.#clock = clock;
  }

  /** The app's name is part of it: two projects may have an export and a hook that read alike and write different things. */
  key(app: string, manifest: FunctionManifest, parameters: readonly unknown[]): string {
    const parts = [app, this.#imageId, manifest.exportName, manifest.hooks.onBuild.map((hook) => [hook.name, hook.cacheKey]), parameters];
    return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  }

  /** A build that is found counts as used now. */
  async find(key: string): Promise<KeptBuild | undefined> {
    try {
      const { builtAtMs } = JSON.parse(await readFile(join(this.#dir, key, "build.json"), "utf8")) as { builtAtMs: number };
      await markUsed(join(this.#dir, key), this.#clock.now());
      return { key, dir: join(this.#dir, key, "files"), builtAtMs };
    } catch {
      return undefined;
    }
  }

  /**
   * Keeps what `workDir` has beyond the code it was made of, `maxMib` at most. The container that wrote it may still
   * run: nothing in there is trusted. Replaces an earlier build of this key.
   */
  async keep(key: string, workDir: string, code: CodeMount, builtAtMs: number, maxMib: number = DEFAULT_OPTIONS.diskMib): Promise<KeptBuild> {
    const partial = join(this.#dir, `${key}.${randomUUID()}${PARTIAL}`);
    try {
      await mkdir(join(partial, "files"), { recursive: true, mode: 0o700 });
      await copyChanged(workDir, code.sourceDir, join(partial, "files"), maxMib * 1024 * 1024);
      await writeFile(join(partial, "build.json"), JSON.stringify({ builtAtMs }));
      await rm(join(this.#dir, key), { recursive: true, force: true });
      await rename(partial, join(this.#dir, key));
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return { key, dir: join(this.#dir, key, "files"), builtAtMs };
  }
}

/** Bytes are counted as they are read: a file with holes takes more here than it did there. */
async function copyChanged(workDir: string, original: string, to: string, maxBytes: number): Promise<void> {
  let left = maxBytes;
  const made = new Set<string>();
  const place = async (path: string): Promise<string> => {
    const folder = dirname(join(to, path));
    if (!made.has(folder)) await mkdir(folder, { recursive: true });
    made.add(folder);
    return join(to, path);
  };
  for await (const entry of walkUntrusted(workDir)) {
    if (entry.kind === "link") {
      // Links to the machine's node_modules are made anew for each container; others are kept if they stay inside.
      if (basename(entry.path) === "node_modules" || !staysInside(entry.path, entry.target)) continue;
      await symlink(entry.target, await place(entry.path));
    } else if (!(await isSame(entry.handle, entry.size, join(original, entry.path)))) {
      left -= await copyOut(entry.handle, await place(entry.path), entry.mode & 0o777, left);
    }
  }
}

/** Resolves to the number of bytes, which are at most `max`. */
async function copyOut(from: FileHandle, path: string, mode: number, max: number): Promise<number> {
  const to = await open(path, "wx", mode);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    for (let position = 0; ;) {
      const { bytesRead } = await from.read(chunk, 0, chunk.length, position);
      if (bytesRead === 0) return position;
      position += bytesRead;
      if (position > max)
        throw new SamovarError("build_failed", `onBuild left more files than its disk holds: raise the function's disk, or write less beside the code`);
      await to.writeFile(chunk.subarray(0, bytesRead));
    }
  } finally {
    await to.close();
  }
}

/** `before` is of a folder that nobody writes to. */
async function isSame(handle: FileHandle, size: number, before: string): Promise<boolean> {
  const stats = await lstat(before).catch(() => null);
  if (!stats?.isFile() || stats.size !== size) return false;
  const original = await readFile(before);
  const now = Buffer.alloc(original.length);
  let filled = 0;
  while (filled < now.length) {
    const { bytesRead } = await handle.read(now, filled, now.length - filled, filled);
    if (bytesRead === 0) return false;
    filled += bytesRead;
  }
  return now.equals(original);
}
