import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, readlink, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import type { Clock } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { Storage } from "@samovar/storage";
import { staysInside } from "../code/untrusted-tree.ts";
import type { HomePaths } from "../home/paths.ts";
import { PARTIAL } from "../home/retention.ts";
import { LAYOUT, type BackupManifest } from "./archive-layout.ts";
import { TarWriter } from "./tar-writer.ts";

export interface BackUpHomeOptions {
  readonly home: HomePaths;
  readonly storage: Pick<Storage, "backup" | "deployments">;
  readonly clock: Clock;
  /** Of this server. */
  readonly version: string;
}

const MAX_TRIES = 5;

/** A version was deleted meanwhile, which the copied database still has: without its code, or with half of it, it would be of no use. Begun anew, it is in neither. */
class CodeWentError extends Error {
  override readonly name = "CodeWentError";
}

/**
 * Copies all that a server needs to come up again somewhere else into one new file, while work goes on: everything that
 * was acknowledged when it began, and the code of what is deployed. The file has its name when it is whole and on disk;
 * only its owner can read it. Rejects with `conflict` where there is such a file, and `invalid_request` for a path that
 * is not absolute.
 */
export async function backUpHome(to: string, options: BackUpHomeOptions): Promise<void> {
  if (!isAbsolute(to)) throw new SamovarError("invalid_request", `A backup needs an absolute path on the server's machine, and ${JSON.stringify(to)} is none`);
  refuseTaken(to);
  try {
    for (let tries = 1; ; tries++) {
      try {
        return await writeBackup(to, options);
      } catch (error) {
        if (!(error instanceof CodeWentError) || tries === MAX_TRIES) throw error;
      }
    }
  } catch (error) {
    if (error instanceof SamovarError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SamovarError("storage_failed", `The backup ${to} could not be written, check its folder and that there is room: ${reason}`, { cause: error });
  }
}

async function writeBackup(to: string, options: BackUpHomeOptions): Promise<void> {
  const { storage } = options;
  const partial = `${to}.${randomUUID()}${PARTIAL}`;
  const database = `${to}.${randomUUID()}.db${PARTIAL}`;
  try {
    // What the copy says is deployed was so before it or is so after it.
    const before = await codeIds(storage);
    await storage.backup(database);
    const codes = before.union(await codeIds(storage));
    const file = await open(partial, "wx", 0o600);
    try {
      await writeArchive(new TarWriter(file), database, [...codes].toSorted(), options);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!before.isSubsetOf(await codeIds(storage))) throw new CodeWentError("Versions were deleted all the time");
    refuseTaken(to);
    await rename(partial, to);
    await syncFolder(dirname(to));
  } finally {
    await Promise.all([rm(partial, { force: true }), rm(database, { force: true })]).catch(() => {});
  }
}

async function codeIds(storage: Pick<Storage, "deployments">): Promise<ReadonlySet<string>> {
  const { versions } = await storage.deployments.load();
  return new Set(versions.flatMap(({ code, builtCode }) => [code, ...Object.values(builtCode)].map(({ codeId }) => codeId)));
}

async function writeArchive(tar: TarWriter, database: string, codes: readonly string[], { home, clock, version }: BackUpHomeOptions): Promise<void> {
  const modifiedAtMs = clock.now();
  const manifest: BackupManifest = { format: 1, version, createdAtMs: modifiedAtMs };
  const entry = (path: string, mode = 0o600) => ({ type: "file" as const, path, mode, modifiedAtMs, target: "" });
  await tar.add(entry(LAYOUT.manifest), Buffer.from(`${JSON.stringify(manifest)}\n`));
  await withFile(database, (file) => tar.addFile(entry(LAYOUT.database), file));
  const secret = join(home.root, LAYOUT.callbackSecret);
  if (existsSync(secret)) await withFile(secret, (file) => tar.addFile(entry(LAYOUT.callbackSecret), file));
  for (const codeId of codes) {
    const dir = join(home.code, codeId);
    // One that is gone is so for the server that runs, too: a restore names it.
    if (!existsSync(dir)) continue;
    await addFolder(tar, dir, `${LAYOUT.code}/${codeId}`, "", modifiedAtMs).catch((error: unknown) => {
      throw (error as NodeJS.ErrnoException).code === "ENOENT" ? new CodeWentError(`${dir} went while it was read`) : error;
    });
  }
  await tar.add(entry(LAYOUT.checksum), Buffer.from(`${tar.sha256}\n`));
  await tar.end();
}

/** A code folder: nobody writes to it. `below` is the path in it. */
async function addFolder(tar: TarWriter, dir: string, path: string, below: string, modifiedAtMs: number): Promise<void> {
  const entries = (await readdir(dir, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  await tar.add({ type: "folder", path, mode: 0o755, modifiedAtMs, target: "" });
  for (const entry of entries) {
    const from = join(dir, entry.name);
    const to = `${path}/${entry.name}`;
    const inCode = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) await addFolder(tar, from, to, inCode, modifiedAtMs);
    else if (entry.isFile()) await withFile(from, async (file) => tar.addFile({ path: to, mode: (await file.stat()).mode & 0o777, modifiedAtMs }, file));
    else if (entry.isSymbolicLink()) {
      const target = await readlink(from);
      if (staysInside(inCode, target)) await tar.add({ type: "link", path: to, mode: 0o777, modifiedAtMs, target });
    }
  }
}

async function withFile(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path);
  try {
    await work(file);
  } finally {
    await file.close();
  }
}

function refuseTaken(to: string): void {
  if (existsSync(to)) throw new SamovarError("conflict", `${to} is there already: choose another name, or remove it first`);
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
