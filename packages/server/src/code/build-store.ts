import { createHash, randomUUID } from "node:crypto";
import { copyFile, mkdir, readFile, readdir, readlink, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { FunctionManifest } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { PARTIAL, markUsed } from "../home/retention.ts";

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

  /** Keeps what `workDir` has beyond the code it was made of. Replaces an earlier build of this key. */
  async keep(key: string, workDir: string, code: CodeMount, builtAtMs: number): Promise<KeptBuild> {
    const partial = join(this.#dir, `${key}.${randomUUID()}${PARTIAL}`);
    try {
      await mkdir(join(partial, "files"), { recursive: true, mode: 0o700 });
      await copyChanged(workDir, code.sourceDir, join(partial, "files"), workDir);
      await writeFile(join(partial, "build.json"), JSON.stringify({ builtAtMs }));
      await rm(join(this.#dir, key), { recursive: true, force: true });
      await rename(partial, join(this.#dir, key));
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return { key, dir: join(this.#dir, key, "files"), builtAtMs };
  }
}

async function copyChanged(from: string, original: string, to: string, root: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const path = join(from, entry.name);
    const before = join(original, entry.name);
    const after = join(to, entry.name);
    if (entry.isSymbolicLink()) {
      // Links to the machine's node_modules are made anew for each container; others are kept if they stay inside.
      const target = await readlink(path);
      if (entry.name === "node_modules" || relative(root, join(dirname(path), target)).startsWith("..") || target.startsWith("/")) continue;
      await mkdir(to, { recursive: true });
      await symlink(target, after);
    } else if (entry.isDirectory()) {
      await copyChanged(path, before, after, root);
    } else if (entry.isFile() && !(await isSame(path, before))) {
      await mkdir(to, { recursive: true });
      await copyFile(path, after);
    }
  }
}

async function isSame(path: string, before: string): Promise<boolean> {
  const [a, b] = await Promise.all([stat(path), stat(before).catch(() => null)]);
  if (!b || a.size !== b.size) return false;
  const [left, right] = await Promise.all([readFile(path), readFile(before)]);
  return left.equals(right);
}
