import type { DatabaseSync } from "node:sqlite";
import type { SqliteTasks } from "./sqlite-tasks.ts";

const TABLES_OF_TASKS = ["task_inputs", "task_results", "task_attempts"] as const;

/** Removes what ended longer ago than it is kept, and keys whose time is over. */
export function createTaskPruning(database: DatabaseSync, { keys }: SqliteTasks) {
  const gone = database.prepare("SELECT seq FROM tasks WHERE gone_at_ms IS NOT NULL AND gone_at_ms < ? ORDER BY gone_at_ms LIMIT ?");
  const removals = [
    database.prepare("DELETE FROM tasks WHERE seq = ?"),
    ...TABLES_OF_TASKS.map((table) => database.prepare(`DELETE FROM ${table} WHERE task = ?`)),
  ];
  // Sessions come and go, and each has queues of its own.
  const removeCounts = database.prepare("DELETE FROM task_counts WHERE n = 0");

  return (nowMs: number, limit: number): boolean => {
    const rows = gone.all(nowMs, limit);
    for (const row of rows) for (const removal of removals) removal.run(row["seq"]!);
    const moreKeys = keys.prune(nowMs, limit);
    removeCounts.run();
    return rows.length === limit || moreKeys;
  };
}
