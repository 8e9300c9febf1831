import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { SamovarError } from "@samovar/protocol";
import type { HomePaths } from "./paths.ts";

export interface HomeLock {
  /** Tells others where the server is, now that it is ready. */
  announce(server: { readonly pid: number; readonly url: string; readonly startedAtMs: number }): void;
  release(): void;
}

/** Locks that are held. Node closes a database, and so would release its lock, once nobody refers to it. */
const held = new Set<DatabaseSync>();

/**
 * One server holds a home at a time. The lock is SQLite's own on an otherwise empty database: the kernel releases it
 * with the process, however that ends, so there is no stale lock to judge. (Node offers no flock.) Throws
 * `home_locked`, naming who holds it.
 */
export function acquireHomeLock(paths: HomePaths): HomeLock {
  const database = new DatabaseSync(paths.lock, { timeout: 0 });
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE;");
  } catch (error) {
    database.close();
    if (!/locked|busy/i.test(String(error)))
      throw new SamovarError("storage_failed", `The home ${paths.root} can't be locked: ${String(error)}`, { cause: error });
    throw new SamovarError(
      "home_locked",
      `${describeHolder(paths)} holds the home ${paths.root}. Use it, stop it with \`samovar down\`, or set another SAMOVAR_HOME`,
    );
  }
  held.add(database);
  return {
    announce: (server) => writeFileSync(paths.serverFile, `${JSON.stringify(server)}\n`, { mode: 0o600 }),
    release() {
      rmSync(paths.serverFile, { force: true });
      database.close();
      held.delete(database);
    },
  };
}

function describeHolder(paths: HomePaths): string {
  try {
    const { pid, url } = JSON.parse(readFileSync(paths.serverFile, "utf8")) as { pid: number; url: string };
    return `Another server (pid ${pid}, ${url})`;
  } catch {
    // It has not become ready yet, or is on its way out.
    return "Another server";
  }
}
