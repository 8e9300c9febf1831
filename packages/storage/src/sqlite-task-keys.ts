import type { DatabaseSync } from "node:sqlite";

/** A tick is remembered for as long as a schedule may look back for what it missed, also when its task is gone long since. */
const TICK_KEPT_MS = 7 * 24 * 60 * 60 * 1000;

interface Keyed {
  readonly id: string;
  readonly queue: string;
  readonly createdAtMs: number;
  readonly idempotencyKey: string | null;
  readonly idempotencyMs: number;
  readonly tick: string | null;
}

export interface TaskKeys {
  /** The id of the task that stands for one with these keys; undefined when none does. */
  find(task: Keyed): string | undefined;
  keep(task: Keyed): void;
  /** True when it removed as many as it may. */
  prune(nowMs: number, limit: number): boolean;
}

/** What a queue has seen. Keys are apart from tasks, because they outlive them. */
export function createTaskKeys(database: DatabaseSync): TaskKeys {
  const findIdempotency = database.prepare("SELECT task_id FROM task_keys WHERE queue = ? AND kind = 'idempotency' AND key = ? AND until_ms > ?");
  const findTick = database.prepare("SELECT task_id FROM task_keys WHERE queue = ? AND kind = 'tick' AND key = ?");
  const keep = database.prepare("INSERT OR REPLACE INTO task_keys (queue, kind, key, task_id, until_ms) VALUES (?, ?, ?, ?, ?)");
  const prune = database.prepare(`
    DELETE FROM task_keys WHERE (queue, kind, key) IN
      (SELECT queue, kind, key FROM task_keys WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)`);

  return {
    find({ queue, createdAtMs, idempotencyKey, tick }) {
      const found =
        (idempotencyKey === null ? undefined : findIdempotency.get(queue, idempotencyKey, createdAtMs)) ??
        (tick === null ? undefined : findTick.get(queue, tick));
      return found && String(found["task_id"]);
    },
    keep({ id, queue, createdAtMs, idempotencyKey, idempotencyMs, tick }) {
      if (idempotencyKey !== null) keep.run(queue, "idempotency", idempotencyKey, id, createdAtMs + idempotencyMs);
      if (tick !== null) keep.run(queue, "tick", tick, id, createdAtMs + Math.max(idempotencyMs, TICK_KEPT_MS));
    },
    prune(nowMs, limit) {
      return Number(prune.run(nowMs, limit).changes) === limit;
    },
  };
}
