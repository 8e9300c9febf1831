import type { DatabaseSync } from "node:sqlite";

export interface TaskQueues {
  /** To be called with each task: only the first of a queue costs anything. */
  add(functionName: string, queue: string): void;
  /** Where tasks of a function may be, its name in whatever case. */
  ofFunction(functionName: string): string[];
  /** Tasks of this queue were removed. */
  forgetEmpty(queue: string): void;
  /** A transaction was rolled back. */
  forget(): void;
}

/** Which queues a function's tasks are in: one, and one more for each session, constructor arguments or version that is asked for by name. */
export function createTaskQueues(database: DatabaseSync): TaskQueues {
  /** The function of each queue that is kept already. */
  const known = new Map<string, string>();
  const add = database.prepare("INSERT OR IGNORE INTO task_queues (function_name, queue) VALUES (?, ?)");
  const ofFunction = database.prepare("SELECT queue FROM task_queues WHERE function_name = ?");
  const any = database.prepare("SELECT 1 FROM tasks INDEXED BY tasks_of_queue WHERE queue = ? LIMIT 1");
  const remove = database.prepare("DELETE FROM task_queues WHERE queue = ?");

  return {
    add(functionName, queue) {
      if (known.get(queue) === functionName) return;
      add.run(functionName, queue);
      known.set(queue, functionName);
    },
    ofFunction: (functionName) => ofFunction.all(functionName).map((row) => String(row["queue"])),
    forgetEmpty(queue) {
      if (any.get(queue)) return;
      remove.run(queue);
      known.delete(queue);
    },
    forget: () => known.clear(),
  };
}
