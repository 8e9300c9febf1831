import { createHash } from "node:crypto";
import { readFile, readdir, rename, writeFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { bundleRunner, runnerEntryPath } from "./bundle-runner.ts";

/** What was kept of a build: the file's name, which hashes what it was made of, and the sources, from the entry's folder. */
interface KeptRunner {
  readonly file: string;
  readonly sources: readonly string[];
}

const NAME = /^runner-[0-9a-f]{16}\.mjs$/;

/**
 * The path of the runner as one file in `dir`, made if it was not made of these very sources before: building it takes
 * a fifth of a server's start, and leaves esbuild and its process in memory. One server at a time may use `dir`. Others that
 * lie there stay: containers of earlier servers may run from them.
 */
export async function keptRunner(dir: string): Promise<string> {
  const recordFile = join(dir, "runner.json");
  const kept = await readRecord(recordFile);
  if (kept && kept.file === (await nameOf(kept.sources)) && (await readdir(dir)).includes(kept.file)) return join(dir, kept.file);

  const partial = join(dir, `runner-${process.pid}.partial.mjs`);
  const entryDir = resolve(runnerEntryPath(), "..");
  const sources = (await bundleRunner(partial)).map((source) => relative(entryDir, source)).sort();
  const file = await nameOf(sources);
  if (file === null) throw new Error("A source of the runner went while it was built");
  await rename(partial, join(dir, file));
  await writeFile(recordFile, JSON.stringify({ file, sources } satisfies KeptRunner));
  return join(dir, file);
}

async function readRecord(file: string): Promise<KeptRunner | null> {
  try {
    const kept = JSON.parse(await readFile(file, "utf8")) as KeptRunner;
    return NAME.test(kept.file) && Array.isArray(kept.sources) ? kept : null;
  } catch {
    // None was made yet, or it was cut off while it was written: the same.
    return null;
  }
}

/** Null when one is gone. */
async function nameOf(sources: readonly string[]): Promise<string | null> {
  const entryDir = resolve(runnerEntryPath(), "..");
  try {
    const contents = await Promise.all(sources.map((source) => readFile(join(entryDir, source))));
    const hash = createHash("sha256").update(process.versions.node);
    contents.forEach((content, index) => hash.update(`\0${sources[index]}\0${content.length}\0`).update(content));
    return `runner-${hash.digest("hex").slice(0, 16)}.mjs`;
  } catch {
    return null;
  }
}
