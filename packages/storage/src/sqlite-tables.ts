import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Answered, ContainerRow, Operation, OperationKind, StoredContainer } from "./operations.ts";
import type { Scope, TokenRecord } from "./storage.ts";

export interface HistoryLimits {
  readonly retentionMs: number;
  readonly maxEndedContainers: number;
}

export interface SqliteTables {
  /** Does one operation, at once and in whatever transaction is open. Throws what SQLite throws. */
  apply(operation: Operation): Answered<OperationKind>;
}

/** What each operation says to SQLite. Knows nothing of threads, batches and commits. */
export function createSqliteTables(database: DatabaseSync, limits: HistoryLimits): SqliteTables {
  const tokens = createTokenTable(database);
  const containers = createContainerTable(database, limits);
  return {
    apply(operation) {
      switch (operation.kind) {
        case "tokens.insert":
          return tokens.insert(operation.token);
        case "tokens.list":
          return tokens.list();
        case "tokens.delete":
          return tokens.delete(operation.id);
        case "containers.record":
          return containers.record(operation.rows, operation.nowMs);
        case "containers.get":
          return containers.get(operation.id);
        case "containers.list":
          return containers.list(operation.functionId, operation.includeEnded, operation.limit);
        case "containers.endAllLiving":
          return containers.endAllLiving(operation.reason, operation.atMs);
        case "flush":
        case "close":
          return undefined;
        default:
          return operation satisfies never;
      }
    },
  };
}

function createTokenTable(database: DatabaseSync) {
  const insert = database.prepare("INSERT INTO tokens (id, hash, name, scopes, created_at_ms) VALUES (?, ?, ?, ?, ?)");
  const list = database.prepare("SELECT id, hash, name, scopes, created_at_ms FROM tokens ORDER BY created_at_ms, id");
  const remove = database.prepare("DELETE FROM tokens WHERE id = ?");
  return {
    insert(token: TokenRecord): undefined {
      insert.run(token.id, token.hash, token.name, JSON.stringify(token.scopes), token.createdAtMs);
    },
    list(): TokenRecord[] {
      return list.all().map((row) => ({
        id: String(row["id"]),
        hash: String(row["hash"]),
        name: String(row["name"]),
        scopes: JSON.parse(String(row["scopes"])) as Scope[],
        app: null,
        createdAtMs: Number(row["created_at_ms"]),
        expiresAtMs: null,
      }));
    },
    delete(id: string): boolean {
      return remove.run(id).changes > 0;
    },
  };
}

function createContainerTable(database: DatabaseSync, limits: HistoryLimits) {
  const record = database.prepare(`
    INSERT INTO containers (id, function_id, started_at_ms, ended_at_ms, info, parameters) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET function_id = excluded.function_id, started_at_ms = excluded.started_at_ms,
      ended_at_ms = excluded.ended_at_ms, info = excluded.info, parameters = excluded.parameters`);
  const get = database.prepare("SELECT info, parameters FROM containers WHERE id = ?");
  const list = (where: string): StatementSync =>
    database.prepare(`SELECT info, parameters FROM containers ${where} ORDER BY started_at_ms DESC, id DESC LIMIT ?`);
  const listAll = list("");
  const listLiving = list("WHERE ended_at_ms IS NULL");
  const listOfFunction = list("WHERE function_id = ?");
  const listLivingOfFunction = list("WHERE function_id = ? AND ended_at_ms IS NULL");
  const endAllLiving = database.prepare(`
    UPDATE containers SET ended_at_ms = :atMs, info = json_set(info, '$.state', 'ended', '$.reason', :reason, '$.endedAtMs', :atMs)
    WHERE ended_at_ms IS NULL`);
  const pruneOld = database.prepare("DELETE FROM containers WHERE ended_at_ms < ?");
  const pruneMany = database.prepare(`
    DELETE FROM containers WHERE id IN
      (SELECT id FROM containers WHERE ended_at_ms IS NOT NULL ORDER BY ended_at_ms DESC, id DESC LIMIT -1 OFFSET ?)`);

  /** With the write that makes history longer, so that no timer is needed and an idle server stays idle. */
  const prune = (nowMs: number): void => {
    pruneOld.run(nowMs - limits.retentionMs);
    pruneMany.run(limits.maxEndedContainers);
  };

  return {
    record(rows: readonly ContainerRow[], nowMs: number): undefined {
      for (const row of rows) record.run(row.id, row.functionId, row.startedAtMs, row.endedAtMs, row.info, row.parameters);
      if (rows.some((row) => row.endedAtMs !== null)) prune(nowMs);
    },
    get(id: string): StoredContainer | undefined {
      const row = get.get(id);
      return row && toStored(row);
    },
    list(functionId: string | null, includeEnded: boolean, limit: number): StoredContainer[] {
      const rows =
        functionId === null ? (includeEnded ? listAll : listLiving).all(limit) : (includeEnded ? listOfFunction : listLivingOfFunction).all(functionId, limit);
      return rows.map(toStored);
    },
    endAllLiving(reason: string, atMs: number): number {
      const ended = Number(endAllLiving.run({ reason, atMs }).changes);
      if (ended > 0) prune(atMs);
      return ended;
    },
  };
}

function toStored(row: Record<string, unknown>): StoredContainer {
  return { info: row["info"] as string, parameters: row["parameters"] as Uint8Array };
}
