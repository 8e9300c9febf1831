import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ContainerRow, StoredContainer, StoredLivingContainer } from "./operations.ts";

export interface HistoryLimits {
  readonly retentionMs: number;
  readonly maxEndedContainers: number;
}

export function createContainerTable(database: DatabaseSync, limits: HistoryLimits) {
  const record = database.prepare(`
    INSERT INTO containers (id, function_id, started_at_ms, ended_at_ms, info, parameters, facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, iif(?4 IS NULL, ?7, NULL))
    ON CONFLICT (id) DO UPDATE SET function_id = excluded.function_id, started_at_ms = excluded.started_at_ms,
      ended_at_ms = excluded.ended_at_ms, info = excluded.info, parameters = excluded.parameters,
      facts = iif(excluded.ended_at_ms IS NULL AND ?8 = 0, facts, excluded.facts)`);
  const get = database.prepare("SELECT info, parameters FROM containers WHERE id = ?");
  const list = (where: string): StatementSync =>
    database.prepare(`SELECT info, parameters FROM containers ${where} ORDER BY started_at_ms DESC, id DESC LIMIT ?`);
  const listAll = list("");
  const listLiving = list("WHERE ended_at_ms IS NULL");
  const listOfFunction = list("WHERE function_id = ?");
  const listLivingOfFunction = list("WHERE function_id = ? AND ended_at_ms IS NULL");
  const living = database.prepare("SELECT info, parameters, facts FROM containers WHERE ended_at_ms IS NULL ORDER BY started_at_ms, id");
  const endAllLiving = database.prepare(`
    UPDATE containers SET ended_at_ms = :atMs, facts = NULL, info = json_set(info, '$.state', 'ended', '$.reason', :reason, '$.endedAtMs', :atMs)
    WHERE ended_at_ms IS NULL AND id NOT IN (SELECT value FROM json_each(:except))`);
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
      for (const { id, functionId, startedAtMs, endedAtMs, info, parameters, facts } of rows)
        record.run(id, functionId, startedAtMs, endedAtMs, info, parameters, facts ?? null, facts === undefined ? 0 : 1);
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
    living: (): StoredLivingContainer[] => living.all().map((row) => ({ ...toStored(row), facts: row["facts"] as string | null })),
    endAllLiving(reason: string, atMs: number, except: readonly string[]): number {
      const ended = Number(endAllLiving.run({ reason, atMs, except: JSON.stringify(except) }).changes);
      if (ended > 0) prune(atMs);
      return ended;
    },
  };
}

function toStored(row: Record<string, unknown>): StoredContainer {
  return { info: row["info"] as string, parameters: row["parameters"] as Uint8Array };
}
