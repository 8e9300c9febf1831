import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, open, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { silentLogger, type Clock } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { openSqliteStorage } from "@samovar/storage";
import { toHomeFailure } from "../home/home-failure.ts";
import { acquireHomeLock } from "../home/lock.ts";
import { createHome, type HomePaths } from "../home/paths.ts";
import { PARTIAL } from "../home/retention.ts";
import { LAYOUT } from "./archive-layout.ts";
import { syncFolder } from "./back-up-home.ts";
import { damaged, extractArchive } from "./extract-archive.ts";

export interface RestoreHomeOptions {
  /** What `backUpHome` wrote; or a copy of a database alone. */
  readonly file: string;
  readonly home: string;
  /** Also where the home has a state, which is moved aside. */
  readonly replace: boolean;
  readonly clock: Clock;
}

export interface RestoredHome {
  readonly home: string;
  /** When it was backed up; null for a database alone. */
  readonly createdAtMs: number | null;
  readonly deployments: number;
  /** Deployments whose code is neither in the backup nor in the home. */
  readonly missingCode: readonly string[];
  /** Where what was there before lies now; null: there was nothing. */
  readonly aside: string | null;
}

const SQLITE_MAGIC = Buffer.from("SQLite format 3\0", "latin1");

/**
 * Makes a backup the state of a home that no server holds. All of it is checked beside its place before anything that is
 * there moves, and what was there is moved, never removed. Rejects with `home_locked`, `conflict` where the home has a
 * state and `replace` is false, and `storage_failed` for a file that is no backup, damaged, or of a newer version.
 */
export async function restoreHome(options: RestoreHomeOptions): Promise<RestoredHome> {
  const isDatabase = await startsAsDatabase(options.file);
  let lock;
  try {
    const home = createHome(options.home);
    lock = acquireHomeLock(home);
    const stage = join(home.root, `restore.${randomUUID()}${PARTIAL}`);
    try {
      return await restoreLocked(options, home, stage, isDatabase);
    } finally {
      await rm(stage, { recursive: true, force: true });
    }
  } catch (error) {
    throw toHomeFailure(error, options.home);
  } finally {
    lock?.release();
  }
}

async function restoreLocked(options: RestoreHomeOptions, home: HomePaths, stage: string, isDatabase: boolean): Promise<RestoredHome> {
  const { file, replace, clock } = options;
  const hasState = ["", "-wal"].some((end) => existsSync(`${home.database}${end}`));
  if (hasState && !replace) {
    throw new SamovarError("conflict", `The home ${home.root} has a state already`, {
      fields: { fix: "--force moves it aside and puts the backup in its place; --data names another home" },
    });
  }
  await mkdir(join(stage, LAYOUT.code), { recursive: true, mode: 0o700 });
  const database = join(stage, LAYOUT.database);
  let createdAtMs: number | null = null;
  if (isDatabase) await copyDatabase(file, database);
  else ({ createdAtMs } = await extractArchive(file, stage));
  const versions = await checkDatabase(file, database, clock);

  const codeDir = isDatabase ? home.code : join(stage, LAYOUT.code);
  const missing = versions.filter(({ codeIds }) => codeIds.some((codeId) => !existsSync(join(codeDir, codeId))));
  const aside = join(home.root, `replaced-${new Date(clock.now()).toISOString().replaceAll(":", "-")}`);
  const movedAside = await exchange(home, stage, aside, !isDatabase);
  return {
    home: home.root,
    createdAtMs,
    deployments: new Set(versions.map(({ name }) => name)).size,
    missingCode: [...new Set(missing.map(({ name }) => name))].toSorted(),
    aside: movedAside ? aside : null,
  };
}

/** Everything in it is read, whatever its size; then it is opened as a server would, which brings an older one to today's schema. */
async function checkDatabase(file: string, database: string, clock: Clock): Promise<{ readonly name: string; readonly codeIds: readonly string[] }[]> {
  if (!existsSync(database)) throw damaged(file, "has no database in it");
  checkPages(file, database);
  const storage = await openSqliteStorage({ file: database, logger: silentLogger, clock });
  try {
    const { versions } = await storage.deployments.load();
    return versions.map(({ name, code, builtCode }) => ({ name, codeIds: [code, ...Object.values(builtCode)].map(({ codeId }) => codeId) }));
  } finally {
    await storage.close();
  }
}

function checkPages(file: string, path: string): void {
  let problem: unknown;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true });
    // The storage would take one that nothing was ever put in for a new one.
    if (database.prepare("PRAGMA user_version").get()!["user_version"] === 0) throw new Error("it is no database of Samovar");
    problem = database.prepare("PRAGMA integrity_check(1)").get()?.["integrity_check"];
  } catch (error) {
    problem = (error as Error).message;
  } finally {
    database?.close();
  }
  if (problem !== "ok") throw damaged(file, `is damaged: ${String(problem)}`);
}

/** The state that is there moves aside, the staged one takes its place, the database last. What fails midway is undone. */
async function exchange(home: HomePaths, stage: string, aside: string, withCode: boolean): Promise<boolean> {
  const secret = join(home.root, LAYOUT.callbackSecret);
  const hasSecret = existsSync(join(stage, LAYOUT.callbackSecret));
  const out = [...["", "-wal", "-shm"].map((end) => `${home.database}${end}`), ...(hasSecret ? [secret] : []), ...(withCode ? [home.code] : [])].filter(
    (path) => existsSync(path),
  );
  const into: [string, string][] = [
    ...(withCode ? [[join(stage, LAYOUT.code), home.code] as [string, string]] : []),
    ...(hasSecret ? [[join(stage, LAYOUT.callbackSecret), secret] as [string, string]] : []),
    [join(stage, LAYOUT.database), home.database],
  ];
  const keeps = out.some((path) => path !== home.code) || (withCode && (await isFilled(home.code)));
  const goneTo = keeps ? aside : join(stage, "nothing");
  await mkdir(goneTo, { mode: 0o700 });
  const done: [string, string][] = [];
  try {
    for (const [from, to] of [...out.map((path): [string, string] => [path, join(goneTo, basename(path))]), ...into]) {
      await rename(from, to);
      done.push([from, to]);
    }
  } catch (error) {
    for (const [from, to] of done.toReversed()) await rename(to, from).catch(() => {});
    // Not with what may be in it.
    await rmdir(goneTo).catch(() => {});
    throw error;
  }
  await syncFolder(home.root);
  return keeps;
}

const isFilled = async (dir: string): Promise<boolean> => (await readdir(dir)).length > 0;

async function startsAsDatabase(file: string): Promise<boolean> {
  let handle;
  try {
    handle = await open(file);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(SQLITE_MAGIC.length), 0, SQLITE_MAGIC.length, 0);
    return bytesRead === SQLITE_MAGIC.length && buffer.equals(SQLITE_MAGIC);
  } catch (error) {
    throw new SamovarError("invalid_request", `${file} can't be read: ${(error as Error).message}`, {
      cause: error,
      fields: { fix: "Give the path of a file that `samovar backup` wrote" },
    });
  } finally {
    await handle?.close();
  }
}

/** With its log, where what wrote it was killed. */
async function copyDatabase(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  if (existsSync(`${from}-wal`)) await copyFile(`${from}-wal`, `${to}-wal`);
}
