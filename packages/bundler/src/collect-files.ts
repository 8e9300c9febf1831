import type { Dirent } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { describePathProblem } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { HashCache } from "./hash-cache.ts";
import { IGNORE_FILE, IgnoreRules } from "./ignore-rules.ts";
import { isInside } from "./project.ts";

const MIB = 1024 * 1024;

export interface CollectLimits {
  readonly maxFiles: number;
  readonly maxTotalBytes: number;
  readonly maxFileBytes: number;
}

export const COLLECT_LIMITS: CollectLimits = Object.freeze({ maxFiles: 10_000, maxTotalBytes: 512 * MIB, maxFileBytes: 100 * MIB });

/** A file by what it is, not by where it is. */
export interface FileId {
  readonly dev: number;
  readonly ino: number;
}

export interface CollectOptions {
  /** The folder, absolute. */
  readonly root: string;
  /** More patterns in the syntax of .gitignore; .samovarignore can take them back. */
  readonly ignore?: readonly string[];
  /** Folders that are never part of the code, absolute: what a server keeps may lie beside the module. */
  readonly exclude?: readonly string[];
  /** Files that never travel, whatever their names. */
  readonly excludeFiles?: readonly FileId[];
  /** Keep one per session: then only what changed is read again. */
  readonly cache?: HashCache;
  readonly limits?: Partial<CollectLimits>;
}

export interface CollectedFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string;
  /** Where its content is, absolute. */
  readonly source: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mode: number;
}

export interface CollectedFiles {
  /** By path, in code unit order. */
  readonly files: readonly CollectedFile[];
  /** What was left out and should be known: sentences. */
  readonly notes: readonly string[];
}

/**
 * The files that travel with the bundle: all of the folder but what `.samovarignore` and the defaults leave out.
 * Sources that are in the bundle come too: they are small, and a module may start one as a worker thread or read
 * its neighbours.
 *
 * Rejects with `bundle_failed` when it is more than the limits allow.
 */
export async function collectFiles(options: CollectOptions): Promise<CollectedFiles> {
  const root = await realpath(options.root);
  const limits = { ...COLLECT_LIMITS, ...options.limits };
  const cache = options.cache ?? new HashCache();
  const excluded = await Promise.all((options.exclude ?? []).map((folder) => realpath(folder).catch(() => path.resolve(folder))));
  const walk: Walk = { root, limits, excluded: new Set(excluded), excludedFiles: options.excludeFiles ?? [], found: [], notes: [], totalBytes: 0 };
  const rules = await IgnoreRules.forRoot(root, options.ignore ?? []);
  await walkFolder(walk, root, rules, rules, [root]);
  assertSizes(walk);

  const files = await hashAll(walk, cache);
  cache.keepOnly(new Set(walk.found.map((found) => found.source)));
  return { files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), notes: walk.notes };
}

interface Walk {
  readonly root: string;
  readonly limits: CollectLimits;
  readonly excluded: ReadonlySet<string>;
  readonly excludedFiles: readonly FileId[];
  readonly found: { readonly path: string; readonly source: string; readonly sizeBytes: number }[];
  readonly notes: string[];
  totalBytes: number;
}

/** `above`: the real folders that lead here, so that a link to one of them ends instead of going round. */
async function walkFolder(walk: Walk, dir: string, rules: IgnoreRules, rootRules: IgnoreRules, above: readonly string[]): Promise<void> {
  const entries = await readFolder(walk, dir);
  for (const entry of entries) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) {
      if (walk.excluded.has(file) || rules.ignores(file, true)) continue;
      await walkFolder(walk, file, await rules.forFolder(file), rootRules, [...above, file]);
    } else if (entry.isFile()) {
      if (!rules.ignores(file, false)) await addFile(walk, file, file);
    } else if (entry.isSymbolicLink()) {
      await followLink(walk, file, rules, rootRules, above);
    }
    // Sockets, pipes and devices have no content to send.
  }
}

async function followLink(walk: Walk, link: string, rules: IgnoreRules, rootRules: IgnoreRules, above: readonly string[]): Promise<void> {
  if (rules.ignores(link, false) || rules.ignores(link, true)) return;
  const shown = path.relative(walk.root, link);
  let target: string;
  try {
    target = await realpath(link);
  } catch {
    walk.notes.push(`${shown} is a link to nothing: it was left out`);
    return;
  }
  if (!isInside(walk.root, target)) {
    walk.notes.push(`${shown} is a link to ${target}, outside of ${walk.root}: it was left out. Copy it into the folder, or name it in ${IGNORE_FILE}`);
    return;
  }
  const stats = await stat(target);
  if (target === walk.root || walk.excluded.has(target) || rootRules.ignores(target, stats.isDirectory())) return;
  if (stats.isFile()) return addFile(walk, link, target);
  if (!stats.isDirectory()) return;
  if (above.includes(target)) {
    walk.notes.push(`${shown} is a link to a folder that it lies in: it was left out`);
    return;
  }
  await walkFolder(walk, link, rules, rootRules, [...above, target]);
}

async function addFile(walk: Walk, file: string, source: string): Promise<void> {
  const relative = path.relative(walk.root, file).split(path.sep).join("/");
  const problem = describePathProblem(relative) ?? (relative.includes("\uFFFD") ? "is not valid UTF-8" : undefined);
  if (problem !== undefined) {
    walk.notes.push(`The name of ${JSON.stringify(relative)} ${problem}: it was left out`);
    return;
  }
  try {
    const { size, dev, ino } = await stat(source);
    if (walk.excludedFiles.some((file) => file.dev === dev && file.ino === ino)) return;
    walk.found.push({ path: relative, source, sizeBytes: size });
    walk.totalBytes += size;
  } catch (error) {
    noteUnreadable(walk, relative, error);
    return;
  }
  if (walk.found.length > walk.limits.maxFiles)
    throw tooMuch(walk, `More than ${walk.limits.maxFiles.toLocaleString("en")} files lie in ${walk.root}`, "; most of them in", biggestFolders(walk));
}

async function readFolder(walk: Walk, dir: string): Promise<Dirent[]> {
  try {
    return (await readdir(dir, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    noteUnreadable(walk, path.relative(walk.root, dir) || walk.root, error);
    return [];
  }
}

function assertSizes(walk: Walk): void {
  const { maxFileBytes, maxTotalBytes } = walk.limits;
  const tooLarge = walk.found.filter((file) => file.sizeBytes > maxFileBytes);
  if (tooLarge.length > 0)
    throw tooMuch(walk, `A file may have ${showBytes(maxFileBytes)} to be sent with the code`, ", and these have more:", largest(tooLarge));
  if (walk.totalBytes > maxTotalBytes) {
    throw tooMuch(
      walk,
      `The files beside the module come to ${showBytes(walk.totalBytes)}, and ${showBytes(maxTotalBytes)} may be sent with the code`,
      ". The largest are",
      largest(walk.found),
    );
  }
}

function tooMuch(walk: Walk, what: string, which: string, names: readonly string[]): SamovarError {
  return new SamovarError(
    "bundle_failed",
    `${what}${which} ${names.join(", ")}. Name what the code doesn't need in ${path.join(walk.root, IGNORE_FILE)}, one pattern a line as in .gitignore`,
  );
}

function largest(files: readonly { readonly path: string; readonly sizeBytes: number }[]): string[] {
  return [...files]
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
    .slice(0, 5)
    .map((file) => `${file.path} (${showBytes(file.sizeBytes)})`);
}

function biggestFolders(walk: Walk): string[] {
  const counts = new Map<string, number>();
  for (const { path: file } of walk.found) {
    const folder = file.includes("/") ? `${file.slice(0, file.indexOf("/"))}/` : "./";
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([folder, count]) => `${folder} (${count.toLocaleString("en")})`);
}

function showBytes(bytes: number): string {
  return bytes >= MIB ? `${(bytes / MIB).toFixed(bytes < 10 * MIB ? 1 : 0)} MiB` : `${Math.ceil(bytes / 1024)} KiB`;
}

/** A file that vanished between two looks is no news; one that may not be read is. */
function noteUnreadable(walk: Walk, name: string, error: unknown): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ENOENT") walk.notes.push(`${name} can't be read (${code ?? String(error)}): it was left out`);
}

const PARALLEL_HASHES = 8;

async function hashAll(walk: Walk, cache: HashCache): Promise<CollectedFile[]> {
  const files: CollectedFile[] = [];
  const left = walk.found.values();
  const work = async (): Promise<void> => {
    for (const found of left) {
      try {
        files.push({ path: found.path, source: found.source, ...(await cache.hash(found.source)) });
      } catch (error) {
        noteUnreadable(walk, found.path, error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_HASHES }, work));
  return files;
}
