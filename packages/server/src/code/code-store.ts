import { createHash, randomUUID } from "node:crypto";
import { chmod, copyFile, cp, link, mkdir, rename, rm } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { SamovarError, canonicalCode, type CodeObject } from "@samovar/protocol";
import { describePathProblem } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { exists, type BlobStore } from "./blob-store.ts";

/**
 * Code as folders: each code object (and each pair of code and build) is put together once, from contents, and never
 * changed after. Containers get copies.
 */
export class CodeStore {
  readonly #dir: string;
  readonly #blobs: BlobStore;
  readonly #pending = new Map<string, Promise<string>>();

  constructor(dir: string, blobs: BlobStore) {
    this.#dir = dir;
    this.#blobs = blobs;
  }

  /** The folder of this code. Refuses paths that leave it and ids that are not what they say. */
  async place(code: CodeObject): Promise<CodeMount> {
    assertCode(code);
    const sourceDir = await this.#once(code.codeId, async (partial) => {
      const missing = await this.#blobs.missing(code.files.map((file) => file.sha256));
      if (missing.length > 0) throw new SamovarError("invalid_request", `${missing.length} contents of this code were never sent; the first is ${missing[0]}`);
      for (const file of code.files) {
        const path = join(partial, file.path);
        await mkdir(dirname(path), { recursive: true });
        await linkOrCopy(this.#blobs.path(file.sha256), path, file.mode);
      }
    });
    return { codeId: code.codeId, sourceDir, entry: code.entry, nodeModules: code.nodeModules };
  }

  /** The same code on top of what a build left: the build's files first, the code's over them. */
  async onTopOf(code: CodeMount, buildKey: string, buildDir: string): Promise<CodeMount> {
    const codeId = createHash("sha256").update(`${code.codeId} ${buildKey}`).digest("hex");
    const sourceDir = await this.#once(codeId, async (partial) => {
      await cp(buildDir, partial, { recursive: true, verbatimSymlinks: true });
      await cp(code.sourceDir, partial, { recursive: true, verbatimSymlinks: true, force: true });
    });
    return { ...code, codeId, sourceDir };
  }

  /** Made whole beside its place and then moved there; two that ask at once share one. */
  #once(codeId: string, fill: (partial: string) => Promise<void>): Promise<string> {
    const dir = join(this.#dir, codeId);
    let pending = this.#pending.get(codeId);
    if (!pending) {
      pending = make(dir, fill).finally(() => this.#pending.delete(codeId));
      this.#pending.set(codeId, pending);
    }
    return pending;
  }
}

async function make(dir: string, fill: (partial: string) => Promise<void>): Promise<string> {
  if (await exists(dir)) return dir;
  const partial = `${dir}.${randomUUID()}.partial`;
  try {
    await mkdir(partial, { recursive: true, mode: 0o700 });
    await fill(partial);
    await rename(partial, dir).catch(async (error: NodeJS.ErrnoException) => {
      // Someone else was first: theirs is the same.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  return dir;
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
    if (!isAbsolute(dir)) throw new SamovarError("invalid_request", `nodeModules holds ${JSON.stringify(dir)}, which is not an absolute folder`);
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
