import { createHash, randomUUID } from "node:crypto";
import { access, chmod, copyFile, cp, link, mkdir, rename, rm } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, normalize } from "node:path";
import { SamovarError, canonicalCode, type CodeObject } from "@samovar/protocol";
import { describePathProblem, type Logger } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { PARTIAL } from "../home/retention.ts";
import { hashFile, type BlobStore } from "./blob-store.ts";

/** The code that one version of an app uses. */
export interface CodeHold {
  /** The folder of this code. Refuses paths that leave it and ids that are not what they say. */
  place(code: CodeObject): Promise<CodeMount>;
  /** The same code on top of what a build left: the build's files first, the code's over them. */
  onTopOf(code: CodeMount, buildKey: string, buildDir: string): Promise<CodeMount>;
  /** A folder that was placed before, by an earlier server: its path. Whether it is there shows when a container starts. */
  keep(codeId: string): string;
  /** The version is over: folders that nobody else holds go. A second time does nothing. */
  release(): void;
}

/**
 * One code's folder. States: absent → making → there → removing → absent; asked for while it is removed, it is made
 * anew after that. Each time it is asked for it is looked for: somebody else may have removed it.
 */
interface Folder {
  holds: number;
  /** Null: absent, or soon. The last of those that asked; each waits for the one before it. */
  made: Promise<string> | null;
  /** This process made it, or compared it with its code. */
  verified: boolean;
  removed: Promise<void>;
}

/**
 * Code as folders: each code object (and each pair of code and build) is put together from contents when somebody holds
 * it, never changed, and removed with its last holder. Containers get copies.
 */
export class CodeStore {
  readonly #dir: string;
  readonly #blobs: BlobStore;
  readonly #logger: Logger;
  readonly #folders = new Map<string, Folder>();

  constructor(dir: string, blobs: BlobStore, logger: Logger) {
    this.#dir = dir;
    this.#blobs = blobs;
    this.#logger = logger;
  }

  hold(): CodeHold {
    const held = new Set<string>();
    return {
      place: (code) => this.#place(held, code),
      onTopOf: (code, buildKey, buildDir) => this.#onTopOf(held, code, buildKey, buildDir),
      keep: (codeId) => this.#keep(held, codeId),
      release: () => {
        for (const codeId of held) this.#leave(codeId);
        held.clear();
      },
    };
  }

  /** What is being removed is gone. */
  async settled(): Promise<void> {
    await Promise.all([...this.#folders.values()].map((folder) => folder.removed));
  }

  async #place(held: Set<string>, code: CodeObject): Promise<CodeMount> {
    assertCode(code);
    const fill = async (partial: string): Promise<void> => {
      const contents = code.files.map((file) => file.sha256);
      const missing = await this.#blobs.missing(contents);
      if (missing.length > 0) throw new SamovarError("invalid_request", `${missing.length} contents of this code were never sent; the first is ${missing[0]}`);
      await this.#blobs.verify(contents);
      for (const file of code.files) {
        const path = join(partial, file.path);
        await mkdir(dirname(path), { recursive: true });
        await linkOrCopy(this.#blobs.path(file.sha256), path, file.mode);
      }
    };
    const sourceDir = await this.#take(held, code.codeId, fill, (dir) => isWhole(dir, code));
    return { codeId: code.codeId, sourceDir, entry: code.entry, nodeModules: code.nodeModules };
  }

  async #onTopOf(held: Set<string>, code: CodeMount, buildKey: string, buildDir: string): Promise<CodeMount> {
    const codeId = createHash("sha256").update(`${code.codeId} ${buildKey}`).digest("hex");
    const sourceDir = await this.#take(held, codeId, async (partial) => {
      await cp(buildDir, partial, { recursive: true, verbatimSymlinks: true });
      await cp(code.sourceDir, partial, { recursive: true, verbatimSymlinks: true, force: true });
    });
    return { ...code, codeId, sourceDir };
  }

  #keep(held: Set<string>, codeId: string): string {
    if (!/^[0-9a-f]{64}$/.test(codeId)) throw new SamovarError("internal", `A code folder is kept under ${JSON.stringify(codeId)}, which is no hash`);
    const dir = join(this.#dir, codeId);
    const folder = this.#folders.get(codeId);
    if (!folder) this.#folders.set(codeId, { holds: 0, made: Promise.resolve(dir), verified: false, removed: Promise.resolve() });
    if (!held.has(codeId)) this.#folders.get(codeId)!.holds++;
    held.add(codeId);
    return dir;
  }

  /**
   * Holds the folder from this turn on. Those that ask at once share one making; one that failed is tried anew. A folder
   * that an earlier process left is taken only when it is whole.
   */
  #take(held: Set<string>, codeId: string, fill: (partial: string) => Promise<void>, isWholeIn: (dir: string) => Promise<boolean> = isThere): Promise<string> {
    let folder = this.#folders.get(codeId);
    if (!folder) this.#folders.set(codeId, (folder = { holds: 0, made: null, verified: false, removed: Promise.resolve() }));
    if (!held.has(codeId)) folder.holds++;
    held.add(codeId);
    const at = folder;
    const made = (folder.made ?? folder.removed).then(async () => {
      const dir = join(this.#dir, codeId);
      if (!(await (at.verified ? isThere : isWholeIn)(dir))) await make(dir, fill);
      at.verified = true;
      return dir;
    });
    folder.made = made;
    made.catch(() => {
      if (at.made === made) at.made = null;
    });
    return made;
  }

  #leave(codeId: string): void {
    const folder = this.#folders.get(codeId)!;
    if (--folder.holds > 0) return;
    const { made } = folder;
    folder.made = null;
    const removed: Promise<void> = Promise.allSettled([made, folder.removed])
      .then(() => remove(join(this.#dir, codeId)))
      .catch((error: unknown) => this.#logger.warn({ codeId, error: String(error) }, "A code folder can't be removed"))
      .finally(() => {
        if (folder.holds === 0 && folder.removed === removed) this.#folders.delete(codeId);
      });
    folder.removed = removed;
  }
}

/** Made whole beside its place and then moved there. What was there, damaged, goes only when there is something better. */
async function make(dir: string, fill: (partial: string) => Promise<void>): Promise<void> {
  const partial = `${dir}.${randomUUID()}${PARTIAL}`;
  try {
    await mkdir(partial, { recursive: true, mode: 0o700 });
    await fill(partial);
    await remove(dir);
    await rename(partial, dir);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

/** Whether all of the code's files are there, with the contents that it names. */
async function isWhole(dir: string, code: CodeObject): Promise<boolean> {
  for (const file of code.files) {
    const actual = await hashFile(join(dir, file.path)).catch(() => null);
    if (actual !== file.sha256) return false;
  }
  return true;
}

/** Moved aside first: a server that is killed midway must not leave half a folder under its name. */
async function remove(dir: string): Promise<void> {
  const partial = `${dir}.${randomUUID()}${PARTIAL}`;
  try {
    await rename(dir, partial);
  } catch (error) {
    // Its making had failed, or somebody else removed it.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  await rm(partial, { recursive: true, force: true });
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function assertCode(code: CodeObject): void {
  const expected = createHash("sha256").update(canonicalCode(code)).digest("hex");
  if (code.codeId !== expected)
    throw new SamovarError("invalid_request", `codeId ${code.codeId.slice(0, 80)} is not the hash of this code, which is ${expected}`);
  for (const path of [code.entry, ...code.files.map((file) => file.path)]) {
    const problem = describePathProblem(path);
    if (problem)
      throw new SamovarError(
        "invalid_request",
        `The path ${JSON.stringify(path.slice(0, 200))} ${problem}: paths are relative to the code's root and stay in it`,
      );
  }
  assertNoClash(code.files.map((file) => file.path));
  if (!code.files.some((file) => file.path === code.entry)) throw new SamovarError("invalid_request", `The entry ${code.entry} is not among the files`);
  for (const dir of code.nodeModules)
    if (!isAbsolute(dir) || normalize(dir) !== dir || basename(dir) !== "node_modules")
      throw new SamovarError("invalid_request", `nodeModules holds ${JSON.stringify(dir)}, which is not the absolute path of a folder node_modules`);
}

/** A path stands once, and is not at the same time a folder that others lie in. */
function assertNoClash(paths: readonly string[]): void {
  const all = new Set(paths);
  if (all.size < paths.length)
    throw new SamovarError("invalid_request", `The path ${JSON.stringify(paths.find((path, i) => paths.indexOf(path) !== i))} stands twice among the files`);
  for (const path of paths) {
    for (let at = path.indexOf("/"); at !== -1; at = path.indexOf("/", at + 1)) {
      if (all.has(path.slice(0, at)))
        throw new SamovarError("invalid_request", `The path ${JSON.stringify(path.slice(0, at))} is a file, and ${JSON.stringify(path)} lies in it`);
    }
  }
}

/** The store's own file where the mode allows it: a link costs nothing. */
async function linkOrCopy(from: string, to: string, mode: number): Promise<void> {
  const wanted = mode & 0o111 ? 0o755 : 0o644;
  if (wanted === 0o644) {
    try {
      return await link(from, to);
    } catch (error) {
      // Another file system, or too many links.
      if ((error as NodeJS.ErrnoException).code !== "EXDEV" && (error as NodeJS.ErrnoException).code !== "EMLINK") throw error;
    }
  }
  await copyFile(from, to);
  await chmod(to, wanted);
}
