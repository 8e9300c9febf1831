import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ContainerRow, StoredContainer } from "./operations.ts";

export interface HistoryLimits {
  readonly retentionMs: number;
  readonly maxEndedContainers: number;
}

export function createContainerTable(database: DatabaseSync, limits: HistoryLimits) {
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
