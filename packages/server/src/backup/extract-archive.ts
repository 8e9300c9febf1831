import { createReadStream } from "node:fs";
import { mkdir, open, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SamovarError } from "@samovar/protocol";
import { staysInside } from "../code/untrusted-tree.ts";
import { CODE_ID, LAYOUT, type BackupManifest } from "./archive-layout.ts";
import { TarDamage, readTar, type ReadEntry } from "./tar-reader.ts";

const MAX_SMALL_BYTES = 64 * 1024;

interface Link {
  readonly path: string;
  readonly target: string;
}

/**
 * Takes a backup apart into an empty folder. Only paths that a backup has are written, none through a link, because
 * links are made when all else is there, and those only that stay in their code. Rejects where the archive is not
 * whole, or not as it was written.
 */
export async function extractArchive(file: string, to: string): Promise<BackupManifest> {
  const folders = new Set<string>();
  const links: Link[] = [];
  let manifest: BackupManifest | undefined;
  let isWhole = false;
  try {
    for await (const entry of readTar(createReadStream(file, { highWaterMark: 256 * 1024 }))) {
      if (!manifest) manifest = await readManifest(file, entry);
      else if (isWhole) throw new TarDamage("has more after its end");
      else if (entry.path === LAYOUT.checksum) isWhole = await isChecksum(entry);
      else if (entry.type === "link") links.push(toLink(entry));
      else await extract(entry, join(to, assertPath(entry)), folders);
    }
    if (!manifest || !isWhole) throw new TarDamage(manifest ? "ends in the middle: it was not copied whole" : "is empty");
    for (const { path, target } of links) {
      await makeFolder(dirname(join(to, path)), folders);
      await symlink(target, join(to, path));
    }
    return manifest;
  } catch (error) {
    const isTwice = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (error instanceof TarDamage || isTwice) throw damaged(file, isTwice ? "has a path twice" : (error as Error).message, error);
    throw error;
  }
}

async function readManifest(file: string, entry: ReadEntry): Promise<BackupManifest> {
  if (entry.path !== LAYOUT.manifest || entry.type !== "file") throw new TarDamage("is no backup of Samovar");
  const { format, version, createdAtMs } = parseJson(await readSmall(entry)) as Partial<Record<keyof BackupManifest, unknown>>;
  if (format !== 1) {
    throw new SamovarError(
      "storage_failed",
      `${file} was written by Samovar ${String(version)} in a format that this version doesn't know: restore it with that version`,
    );
  }
  if (typeof version !== "string" || typeof createdAtMs !== "number") throw new TarDamage("is damaged: what it says of itself can't be read");
  return { format, version, createdAtMs };
}

async function isChecksum(entry: ReadEntry): Promise<true> {
  if (entry.type === "file" && (await readSmall(entry)).trim() === entry.sha256Before) return true;
  throw new TarDamage("is damaged: it is not what was written, its checksum differs");
}

/** The path, where a backup has such a one. */
function assertPath({ type, path }: ReadEntry): string {
  const isOwn = path === LAYOUT.database || path === LAYOUT.callbackSecret;
  if ((isOwn && type === "file") || toCodePath(path) !== undefined) return path;
  throw new TarDamage(`has ${JSON.stringify(path.slice(0, 200))} in it, which no backup has`);
}

/** Of `code/ID/a/b` the path in the code, `a/b`; undefined for what lies elsewhere. */
function toCodePath(path: string): string | undefined {
  const [code, codeId, ...parts] = path.split("/");
  if (code !== LAYOUT.code || !CODE_ID.test(codeId ?? "")) return undefined;
  return parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0")) ? undefined : parts.join("/");
}

function toLink({ path, target }: ReadEntry): Link {
  const inCode = toCodePath(path);
  if (inCode && staysInside(inCode, target)) return { path, target };
  throw new TarDamage(`has the link ${JSON.stringify(path.slice(0, 200))} in it, which leaves its code`);
}

async function extract(entry: ReadEntry, path: string, folders: Set<string>): Promise<void> {
  if (entry.type === "folder") return await makeFolder(path, folders);
  await makeFolder(dirname(path), folders);
  const isOwn = entry.path === LAYOUT.database || entry.path === LAYOUT.callbackSecret;
  const file = await open(path, "wx", isOwn ? 0o600 : entry.mode | 0o400);
  try {
    for await (const chunk of entry.content) await file.writeFile(chunk);
    // Code can be deployed again.
    if (isOwn) await file.sync();
  } finally {
    await file.close();
  }
}

async function makeFolder(path: string, folders: Set<string>): Promise<void> {
  if (folders.has(path)) return;
  await mkdir(path, { recursive: true, mode: 0o700 });
  folders.add(path);
}

async function readSmall(entry: ReadEntry): Promise<string> {
  if (entry.size > MAX_SMALL_BYTES) throw new TarDamage("is no backup of Samovar");
  return Buffer.concat(await Array.fromAsync(entry.content)).toString("utf8");
}

function parseJson(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // The same as what is no object.
  }
  throw new TarDamage("is damaged: what it says of itself can't be read");
}

export const damaged = (file: string, what: string, cause?: unknown): SamovarError =>
  new SamovarError("storage_failed", `${file} ${what}. Nothing was changed: copy it again, or restore another backup`, { cause });
