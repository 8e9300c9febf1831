import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { CallRow, StoredTask } from "./task-operations.ts";
import type { CallRecord, TaskFilter } from "./task-store.ts";

const KEPT_CALLS = 50_000;
const KEPT_MS = 24 * 60 * 60 * 1000;

/** Comes after every id that begins with another one. */
const AFTER_ALL = "~";

type Row = Readonly<Record<string, unknown>>;

export interface SqliteCalls {
  record(rows: readonly CallRow[]): undefined;
  get(id: string): StoredTask | undefined;
  /** Newest first, of those before this id. */
  list(filter: TaskFilter, before: string, limit: number): StoredTask[];
  /** What all that are there now come before. */
  end(): string;
  /** True when it removed as many as it may. */
  prune(nowMs: number, limit: number): boolean;
  /** A transaction was rolled back. */
  forget(): void;
}

/** Calls that are over: added at the end, cut off at the beginning, and never changed. */
export function createSqliteCalls(database: DatabaseSync): SqliteCalls {
  /** Counting is as long as the table: it is done once, and again when a transaction was rolled back. */
  let kept: number | undefined;
  const insert = database.prepare(`
    INSERT INTO calls (id, function_name, app, method, version, container_id, status, created_at_ms, started_at_ms, ended_at_ms, attempts, error)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`);
  const count = database.prepare("SELECT count(*) AS n FROM calls");
  const nth = database.prepare("SELECT id FROM calls ORDER BY id LIMIT 1 OFFSET ?");
  const cut = database.prepare("DELETE FROM calls WHERE id < ?");
  const cutOld = database.prepare("DELETE FROM calls WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT ?) AND ended_at_ms < ?");
  const byId = database.prepare("SELECT * FROM calls WHERE id = ?");
  const last = database.prepare("SELECT max(id) AS id FROM calls");

  return {
    record(rows) {
      kept ??= Number(count.get()!["n"]);
      for (const row of rows) kept += Number(insert.run(...row).changes);
      if (kept <= KEPT_CALLS) return;
      cut.run(String(nth.get(kept - KEPT_CALLS)!["id"]));
      kept = KEPT_CALLS;
    },
    get(id) {
      const row = byId.get(id);
      return row && toTask(row);
    },
    list(filter, before, limit) {
      // A call stands in no queue, and is over.
      if (limit < 1 || filter.durable || filter.expiredByMs !== undefined) return [];
      if (filter.queue !== undefined || filter.inBases !== undefined || filter.notInBases !== undefined) return [];
      const sql = ["id < ?"];
      const values: SQLInputValue[] = [before];
      const add = (condition: string, value: SQLInputValue | undefined): void => {
        if (value === undefined) return;
        sql.push(condition);
        values.push(value);
      };
      add("id IN (SELECT value FROM json_each(?))", filter.ids && JSON.stringify(filter.ids));
      add("function_name = ? COLLATE NOCASE", filter.functionName);
      add("app = ?", filter.app);
      add("status IN (SELECT value FROM json_each(?))", filter.statuses && JSON.stringify(filter.statuses));
      add("created_at_ms < ?", filter.createdBeforeMs);
      add("created_at_ms > ?", filter.createdAfterMs);
      const statement = database.prepare(`SELECT * FROM calls WHERE ${sql.join(" AND ")} ORDER BY id DESC LIMIT ?`);
      return statement.all(...values, limit).map(toTask);
    },
    end: () => `${String(last.get()!["id"] ?? "")}${AFTER_ALL}`,
    prune(nowMs, limit) {
      const removed = Number(cutOld.run(limit, nowMs - KEPT_MS).changes);
      if (kept !== undefined) kept -= removed;
      return removed === limit;
    },
    forget: () => void (kept = undefined),
  };
}

const OUTCOMES = { COMPLETE: "complete", ERROR: "error", TIMEOUT: "timeout", CANCELLED: "cancelled" } as const;

/** What only tasks have is as it would be of one that was done at once. */
function toTask(row: Row): StoredTask {
  const status = row["status"] as CallRecord["status"];
  const createdAtMs = Number(row["created_at_ms"]);
  const endedAtMs = Number(row["ended_at_ms"]);
  const hasAttempt = row["container_id"] !== null && row["started_at_ms"] !== null;
  const error = row["error"] as string | null;
  const attempt = {
    number: Number(row["attempts"]),
    version: Number(row["version"]),
    containerId: row["container_id"] as string,
    startedAtMs: Number(row["started_at_ms"]),
    endedAtMs,
    outcome: OUTCOMES[status],
    error,
  };
  return {
    id: String(row["id"]),
    durable: false,
    queue: "",
    functionName: String(row["function_name"]),
    app: String(row["app"]),
    method: row["method"] as string | null,
    parameters: "[]",
    encoding: "none",
    reply: "",
    createdAtMs,
    dueAtMs: createdAtMs,
    priority: 0,
    expiresAtMs: null,
    concurrencyKey: null,
    idempotencyKey: null,
    keepMs: KEPT_MS,
    callbackUrl: null,
    tick: null,
    status,
    attempts: hasAttempt ? [attempt] : [],
    endedAtMs,
    callError: error,
    result: null,
    input: null,
  };
}
