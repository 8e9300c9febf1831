import type { DatabaseSync } from "node:sqlite";

export type ReleasedHead = readonly [rank: number, id: string, dueAtMs: number];

export interface TaskTurns {
  /** A place at the end of the line of a concurrency key; 1 is its head. */
  next(queue: string, key: string): { readonly turn: number; readonly isHead: boolean };
  /** After one has left the line: its head is no longer held back by it. Where that stands, and when it is due; it is ready where that is by now. */
  release(queue: string, key: string, nowMs: number): ReleasedHead | undefined;
}

/**
 * The line of a concurrency key: its tasks that are not over, in the order they came. Only the head may be ready or
 * run, also while it waits for its time. A place is found and left by one step in an index, however long the line is.
 */
export function createTaskTurns(database: DatabaseSync): TaskTurns {
  const last = database.prepare("SELECT turn FROM tasks WHERE queue = ? AND concurrency_key = ? AND turn IS NOT NULL ORDER BY turn DESC LIMIT 1");
  const head = database.prepare(`
    SELECT seq, wait, due_at_ms, rank, id FROM tasks WHERE queue = ? AND concurrency_key = ? AND turn IS NOT NULL ORDER BY turn LIMIT 1`);
  const setWait = database.prepare("UPDATE tasks SET wait = ? WHERE seq = ? AND wait = 'turn'");
  return {
    next(queue, key) {
      const row = last.get(queue, key);
      return row ? { turn: Number(row["turn"]) + 1, isHead: false } : { turn: 1, isHead: true };
    },
    release(queue, key, nowMs) {
      const row = head.get(queue, key);
      if (row?.["wait"] !== "turn") return undefined;
      const dueAtMs = Number(row["due_at_ms"]);
      setWait.run(dueAtMs <= nowMs ? "ready" : "time", row["seq"]!);
      return [Number(row["rank"]), String(row["id"]), dueAtMs];
    },
  };
}
