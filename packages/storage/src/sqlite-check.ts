import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { Failure } from "./operations.ts";
import { damaged } from "./sqlite-failure.ts";

/** `SAMO`: says that a SQLite file is ours, whatever it is called. */
export const APPLICATION_ID = 0x53414d4f;

/** Up to here all of a file is checked at every start: about a second for each 500 MB that are in memory, far more from a slow disk. */
const CHECKED_WHOLE_BYTES = 64 * 1024 * 1024;

/** What grows with use. All else is small, and is checked whole in a file of any size. */
const LARGE_TABLES: readonly string[] = ["tasks", "task_inputs", "task_results", "task_attempts", "task_keys", "callbacks", "calls", "containers"];

/**
 * Why a file is refused; undefined when it may be opened for writing. It is only read for that, because a connection
 * that may write moves its log into the file when it closes, and a file that is refused is to stay as it was.
 *
 * Of a large file the ends of each large table and index are read, where a copy that was cut off or a file that was
 * torn shows first. Damage within them is found when it is read, and fails that call by name.
 */
export function findRefusal(file: string, busyTimeoutMs: number, knownSchema: number, checkedWholeBytes = CHECKED_WHOLE_BYTES): Failure | undefined {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  // SQLite would take it for a new one, and remove the log.
  if (size === 0) return toLogged(file) > 0 ? damaged(file, "it is empty, and its log is not") : undefined;
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs, readOnly: true });
  try {
    return (
      refuseForeign(database, file) ??
      refuseNewer(database, file, knownSchema) ??
      refuseShort(database, file, size) ??
      (size <= checkedWholeBytes ? refuseDamaged(database, file, "") : refuseDamagedInPart(database, file))
    );
  } finally {
    database.close();
  }
}

export function readPragma(database: DatabaseSync, name: "user_version" | "application_id" | "page_count" | "page_size"): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()![name]);
}

function refuseForeign(database: DatabaseSync, file: string): Failure | undefined {
  const isEmpty = database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()!["n"] === 0;
  if (isEmpty || readPragma(database, "application_id") === APPLICATION_ID) return undefined;
  return { code: "storage_failed", message: `${file} is a database of another program and was left as it is, choose another file or SAMOVAR_HOME` };
}

function refuseNewer(database: DatabaseSync, file: string, known: number): Failure | undefined {
  const schema = readPragma(database, "user_version");
  if (schema <= known) return undefined;
  return {
    code: "storage_failed",
    message: `${file} has schema ${schema}, this version of Samovar knows schemas up to ${known}: run the version that wrote it, or a newer one`,
  };
}

/** Where there is a log, pages that the file lacks may be in it. */
function refuseShort(database: DatabaseSync, file: string, size: number): Failure | undefined {
  const expected = readPragma(database, "page_count") * readPragma(database, "page_size");
  return toLogged(file) === 0 && size < expected ? damaged(file, `it has ${size} bytes of ${expected}`) : undefined;
}

function toLogged(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function refuseDamaged(database: DatabaseSync, file: string, table: string): Failure | undefined {
  const check = database.prepare(`PRAGMA quick_check(${table || 1})`).get()?.["quick_check"];
  return check === "ok" ? undefined : damaged(file, String(check));
}

function refuseDamagedInPart(database: DatabaseSync, file: string): Failure | undefined {
  const named = database
    .prepare("SELECT type, name, tbl_name AS ofTable FROM sqlite_schema WHERE type IN ('table', 'index') AND name NOT LIKE 'sqlite_stat%'")
    .all();
  for (const { type, name, ofTable } of named as Iterable<Record<string, unknown>> as Iterable<{ type: string; name: string; ofTable: string }>) {
    if (LARGE_TABLES.includes(ofTable)) readEnds(database, type, name, ofTable);
    else if (type === "table") {
      const refusal = refuseDamaged(database, file, name);
      if (refusal) return refusal;
    }
  }
  return undefined;
}

/** Throws what SQLite says of a page that it can't make sense of. */
function readEnds(database: DatabaseSync, type: string, name: string, table: string): void {
  if (type === "table") {
    const key = database.prepare("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk LIMIT 1").get(name)!["name"] as string;
    for (const order of ["ASC", "DESC"]) database.prepare(`SELECT * FROM ${name} ORDER BY ${key} ${order} LIMIT 1`).all();
    return;
  }
  const column = database.prepare("SELECT name, coll FROM pragma_index_xinfo(?) ORDER BY seqno LIMIT 1").get(name)!;
  const first = column["name"] as string;
  // A partial index is of use only to who asks for its rows, which its own words do.
  const sql = database.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").get(name)!["sql"] as string | null;
  const where = /\bWHERE\b[\s\S]*$/.exec(sql ?? "")?.[0] ?? "";
  for (const order of ["ASC", "DESC"])
    database.prepare(`SELECT ${first} FROM ${table} INDEXED BY ${name} ${where} ORDER BY ${first} COLLATE ${String(column["coll"])} ${order} LIMIT 1`).all();
}
