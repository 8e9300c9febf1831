import { DatabaseSync } from "node:sqlite";
import { MIGRATIONS } from "./migrations/index.ts";
import type { Failure } from "./operations.ts";
import { damaged, toFailure } from "./sqlite-failure.ts";

/** `SAMO`: says that a SQLite file is ours, whatever it is called. */
const APPLICATION_ID = 0x53414d4f;

export type Opened =
  | { readonly ok: true; readonly database: DatabaseSync; readonly schemaBefore: number; readonly schemaNow: number }
  | { readonly ok: false; readonly failure: Failure };

/**
 * Opens the file and brings it to the newest schema, or refuses it and leaves it as it is: when it is damaged, is
 * another program's, or was written by a newer version.
 */
export function openSqliteFile(file: string, busyTimeoutMs: number, migrations: readonly string[] = MIGRATIONS): Opened {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { timeout: busyTimeoutMs });
    const schemaBefore = readPragma(database, "user_version");
    const refusal = refuse(database, file, schemaBefore, migrations.length);
    if (refusal) {
      database.close();
      return { ok: false, failure: refusal };
    }
    // FULL: a commit is on disk before it is answered, also when the machine loses power.
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON");
    for (let schema = schemaBefore + 1; schema <= migrations.length; schema++) migrate(database, migrations[schema - 1]!, schema);
    return { ok: true, database, schemaBefore, schemaNow: migrations.length };
  } catch (error) {
    if (database?.isOpen) database.close();
    return { ok: false, failure: toFailure(file, error) };
  }
}

function refuse(database: DatabaseSync, file: string, schema: number, known: number): Failure | undefined {
  const check = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (check !== "ok") return damaged(file, String(check));
  const isEmpty = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!["n"] === 0;
  if (!isEmpty && readPragma(database, "application_id") !== APPLICATION_ID) {
    return { code: "storage_failed", message: `${file} is a database of another program and was left as it is, choose another file or SAMOVAR_HOME` };
  }
  if (schema > known) {
    return {
      code: "storage_failed",
      message: `${file} has schema ${schema}, this version of Samovar knows schemas up to ${known}: run the version that wrote it, or a newer one`,
    };
  }
  return undefined;
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

function readPragma(database: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()![name]);
}
