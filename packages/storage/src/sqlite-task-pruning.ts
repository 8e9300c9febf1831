import type { DatabaseSync } from "node:sqlite";
import type { SqliteCallbacks } from "./sqlite-callbacks.ts";
import type { SqliteCalls } from "./sqlite-calls.ts";
import type { TaskQueues } from "./sqlite-task-queues.ts";
import type { SqliteTasks } from "./sqlite-tasks.ts";

const TABLES_OF_TASKS = ["task_inputs", "task_results", "task_attempts"] as const;

/** Removes what ended longer ago than it is kept, and keys whose time is over. A task whose callback is pending has no time to go yet. */
export function createTaskPruning(database: DatabaseSync, { keys }: SqliteTasks, queues: TaskQueues, callbacks: SqliteCallbacks, calls: SqliteCalls) {
  const gone = database.prepare("SELECT seq, id, queue, callback_url FROM tasks WHERE gone_at_ms IS NOT NULL AND gone_at_ms < ? ORDER BY gone_at_ms LIMIT ?");
  const filesOf = database.prepare(`
    SELECT file FROM task_inputs WHERE task = ? AND file IS NOT NULL UNION ALL SELECT file FROM task_results WHERE task = ? AND file IS NOT NULL`);
  const removals = [
    database.prepare("DELETE FROM tasks WHERE seq = ?"),
    ...TABLES_OF_TASKS.map((table) => database.prepare(`DELETE FROM ${table} WHERE task = ?`)),
  ];
  // Sessions come and go, and each has queues of its own.
  const removeCounts = database.prepare("DELETE FROM task_counts WHERE n = 0");

  return (nowMs: number, limit: number) => {
    const rows = gone.all(nowMs, limit);
    const files: string[] = [];
    for (const row of rows) {
      if (row["callback_url"] !== null) callbacks.forgetTask(String(row["id"]));
      for (const each of filesOf.all(row["seq"]!, row["seq"]!)) files.push(String(each["file"]));
      for (const removal of removals) removal.run(row["seq"]!);
    }
    for (const queue of new Set(rows.map((row) => String(row["queue"])))) queues.forgetEmpty(queue);
    const more = [keys, callbacks, calls].map((each) => each.prune(nowMs, limit));
    removeCounts.run();
    return { more: rows.length === limit || more.includes(true), files };
  };
}
