import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./migrations/index.ts";
import type { Failure } from "./operations.ts";
import { APPLICATION_ID, findRefusal, readPragma } from "./sqlite-check.ts";
import { toFailure } from "./sqlite-failure.ts";

const CHECKPOINT_PAGES = 4_000;

/** At most: the indexes of a million tasks, of which those that are in use fit in. */
const CACHE_KIB = 65_536;

export type Opened =
  | { readonly ok: true; readonly database: DatabaseSync; readonly schemaBefore: number; readonly schemaNow: number }
  | { readonly ok: false; readonly failure: Failure };

/**
 * Opens the file and brings it to the newest schema, or refuses it and leaves it as it is: when it is damaged, is
 * another program's, or was written by a newer version.
 */
export function openSqliteFile(file: string, busyTimeoutMs: number, migrations: readonly string[] = MIGRATIONS, checkedWholeBytes?: number): Opened {
  let database: DatabaseSync | undefined;
  try {
    const refusal = findRefusal(file, busyTimeoutMs, migrations.length, checkedWholeBytes);
    if (refusal) return { ok: false, failure: refusal };
    database = new DatabaseSync(file, { timeout: busyTimeoutMs });
    const schemaBefore = readPragma(database, "user_version");
    // FULL: a commit is on disk before it is answered, also when the machine loses power.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    // Pages that many tasks share go from the log into the file once for all of them; a long log is cut after that.
    database.exec(
      `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${4 * CHECKPOINT_PAGES * 4096}; PRAGMA cache_size = -${CACHE_KIB}`,
    );
    for (let schema = schemaBefore + 1; schema <= migrations.length; schema++) migrate(database, migrations[schema - 1]!, schema);
    return { ok: true, database, schemaBefore, schemaNow: migrations.length };
  } catch (error) {
    if (database?.isOpen) database.close();
    return { ok: false, failure: toFailure(file, error) };
  }
}

/** All of a migration or nothing, its number included: a crash in the middle leaves the schema before it. */
function migrate(database: DatabaseSync, sql: string, schema: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(sql);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${schema}; COMMIT`);
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
