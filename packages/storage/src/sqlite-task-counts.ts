import type { DatabaseSync } from "node:sqlite";
import { isTaskOver, type TaskStatus } from "@samovar/protocol/tasks";

/**
 * How many tasks of a queue are at each status that is not over, kept as they change: counting a million rows would
 * hold up every writer. Changes gather in memory and are written once per commit.
 */
export class TaskCounts {
  readonly #gathered = new Map<string, Map<TaskStatus, number>>();
  readonly #add;
  readonly #ofQueue;
  readonly #queues;

  constructor(database: DatabaseSync) {
    this.#add = database.prepare(`
      INSERT INTO task_counts (queue, status, n) VALUES (?, ?, ?) ON CONFLICT (queue, status) DO UPDATE SET n = n + excluded.n`);
    this.#ofQueue = database.prepare("SELECT status, n FROM task_counts WHERE queue = ?");
    this.#queues = database.prepare("SELECT DISTINCT queue FROM task_counts WHERE n > 0 ORDER BY queue");
  }

  move(queue: string, from: TaskStatus | null, to: TaskStatus | null, tasks = 1): void {
    if (from !== null && !isTaskOver(from)) this.#change(queue, from, -tasks);
    if (to !== null && !isTaskOver(to)) this.#change(queue, to, tasks);
  }

  /** To be called before the commit, or the release of a savepoint. */
  write(): void {
    for (const [queue, byStatus] of this.#gathered) {
      for (const [status, n] of byStatus) if (n !== 0) this.#add.run(queue, status, n);
    }
    this.#gathered.clear();
  }

  /** What has gathered was rolled back. */
  forget(): void {
    this.#gathered.clear();
  }

  ofQueue(queue: string): [TaskStatus, number][] {
    const counts = new Map(this.#ofQueue.all(queue).map((row) => [row["status"] as TaskStatus, Number(row["n"])]));
    for (const [status, n] of this.#gathered.get(queue) ?? []) counts.set(status, (counts.get(status) ?? 0) + n);
    return [...counts].filter(([, n]) => n > 0);
  }

  /** Those that have tasks. */
  queues(): string[] {
    this.write();
    return this.#queues.all().map((row) => String(row["queue"]));
  }

  #change(queue: string, status: TaskStatus, by: number): void {
    let byStatus = this.#gathered.get(queue);
    if (!byStatus) this.#gathered.set(queue, (byStatus = new Map()));
    byStatus.set(status, (byStatus.get(status) ?? 0) + by);
  }
}
