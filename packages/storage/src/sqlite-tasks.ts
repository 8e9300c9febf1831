import type { DatabaseSync } from "node:sqlite";
import { isTaskOver, nextTaskStatus, type TaskStatus } from "@samovar/protocol/tasks";
import { TaskCounts } from "./sqlite-task-counts.ts";
import { createTaskKeys } from "./sqlite-task-keys.ts";
import { createTaskTurns } from "./sqlite-task-turns.ts";
import type { InsertAnswer, SettleAnswer, SettlementRow, StartRow, TaskRow } from "./task-operations.ts";

/** Where a task stands, as every change of it needs to know. */
interface Standing {
  readonly seq: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly isReady: boolean;
  readonly concurrencyKey: string | null;
  readonly priority: number;
}

/** By what ready tasks are ordered: a head start of so many seconds before others that are due at the same time. */
export function toRank(dueAtMs: number, priority: number): number {
  return Math.round(dueAtMs - priority * 1000);
}

export type SqliteTasks = ReturnType<typeof createSqliteTasks>;

/** The way of a task that goes as it should: insert, started, settle. Every change is fenced by attempt and status. */
export function createSqliteTasks(database: DatabaseSync) {
  const counts = new TaskCounts(database);
  const keys = createTaskKeys(database);
  const turns = createTaskTurns(database);

  const insertTask = database.prepare(`
    INSERT INTO tasks (id, queue, status, wait, due_at_ms, rank, turn, expiry_at_ms, expires_at_ms, function_name, app, method,
      parameters, encoding, created_at_ms, priority, concurrency_key, idempotency_key, keep_ms, callback_url, tick)
    VALUES (?1, ?2, 'PENDING', ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)`);
  const insertInput = database.prepare("INSERT INTO task_inputs (task, input) VALUES (?, ?)");
  const insertResult = database.prepare("INSERT INTO task_results (task, encoding, result) VALUES (?, ?, ?)");
  const insertAttempt = database.prepare(`
    INSERT INTO task_attempts (task, number, version, container_id, started_at_ms, ended_at_ms, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const find = database.prepare("SELECT seq, queue, status, attempt, wait, concurrency_key, priority FROM tasks WHERE id = ?");
  find.setReturnArrays(true);
  const start = database.prepare(`
    UPDATE tasks SET status = 'RUNNING', wait = NULL, expiry_at_ms = NULL, attempt = ?, version = ?, container_id = ?, started_at_ms = ?
    WHERE seq = ? AND attempt = ? AND status = ?`);
  const end = database.prepare(`
    UPDATE tasks SET status = ?, wait = NULL, turn = NULL, expiry_at_ms = NULL, attempt = ?, failures = failures + ?, version = ?, container_id = ?,
      started_at_ms = ?, ended_at_ms = ?, gone_at_ms = ? + keep_ms, error = ?
    WHERE seq = ? AND attempt = ? AND status = ?`);
  const waitAgain = database.prepare(`
    UPDATE tasks SET status = ?, wait = ?, expiry_at_ms = NULL, attempt = ?, failures = failures + ?, due_at_ms = coalesce(?, due_at_ms),
      rank = coalesce(?, rank), version = NULL, container_id = NULL, started_at_ms = NULL
    WHERE seq = ? AND attempt = ? AND status = ?`);

  const standing = (id: string): Standing | undefined => {
    const row = find.get(id) as unknown as readonly [number, string, TaskStatus, number, string | null, string | null, number] | undefined;
    return row && { seq: row[0], queue: row[1], status: row[2], attempt: row[3], isReady: row[4] === "ready", concurrencyKey: row[5], priority: row[6] };
  };

  const mayStart = (task: Standing, attempt: number): boolean =>
    task.isReady && task.attempt === attempt - 1 && nextTaskStatus(task.status, "start") !== undefined;

  const insertOne = (row: TaskRow, input: Uint8Array): InsertAnswer => {
    const [id, queue, functionName, app, method, parameters, encoding, createdAtMs, dueAtMs, priority, expiresAtMs] = row;
    const [, , , , , , , , , , , concurrencyKey, idempotencyKey, idempotencyMs, keepMs, callbackUrl, tick] = row;
    const keyed = idempotencyKey === null && tick === null ? null : { id, queue, createdAtMs, idempotencyKey, idempotencyMs, tick };
    const earlier = keyed && keys.find(keyed);
    if (earlier) return earlier;
    const place = concurrencyKey === null ? null : turns.next(queue, concurrencyKey);
    const wait = place?.isHead === false ? "turn" : dueAtMs <= createdAtMs ? "ready" : "time";
    const { lastInsertRowid: seq } = insertTask.run(
      id,
      queue,
      wait,
      dueAtMs,
      toRank(dueAtMs, priority),
      place?.turn ?? null,
      expiresAtMs,
      functionName,
      app,
      method,
      parameters,
      encoding,
      createdAtMs,
      priority,
      concurrencyKey,
      idempotencyKey,
      keepMs,
      callbackUrl,
      tick,
    );
    insertInput.run(seq, input);
    if (keyed) keys.keep(keyed);
    counts.move(queue, null, "PENDING");
    return wait === "ready" ? 1 : 0;
  };

  const startOne = ([id, attempt, version, containerId, startedAtMs]: StartRow): void => {
    const task = standing(id);
    if (!task || !mayStart(task, attempt)) return;
    start.run(attempt, version, containerId, startedAtMs, task.seq, task.attempt, task.status);
    counts.move(task.queue, task.status, "RUNNING");
  };

  return {
    counts,
    keys,
    turns,
    insert(rows: readonly TaskRow[], inputs: readonly Uint8Array[]): InsertAnswer[] {
      return rows.map((row, index) => insertOne(row, inputs[index]!));
    },
    started(starts: readonly StartRow[]): undefined {
      for (const each of starts) startOne(each);
    },
    settle(row: SettlementRow, result: Uint8Array | undefined): SettleAnswer {
      const [id, attempt, version, containerId, startedAtMs] = row.start;
      const task = standing(id);
      const startsNow = task !== undefined && row.withStart && mayStart(task, attempt);
      if (!task || !(startsNow || task.attempt === attempt)) return 0;
      const status = nextTaskStatus(startsNow ? "RUNNING" : task.status, row.event);
      if (status === undefined) return 0;
      const fence = [task.seq, task.attempt, task.status] as const;
      const failed = row.event === "succeed" || row.event === "give-back" ? 0 : 1;
      counts.move(task.queue, task.status, status);
      if (isTaskOver(status)) {
        end.run(status, attempt, failed, version, containerId, startedAtMs, row.endedAtMs, row.endedAtMs, row.error, ...fence);
        if (row.encoding !== null && result) insertResult.run(task.seq, row.encoding, result);
        return task.concurrencyKey !== null && turns.release(task.queue, task.concurrencyKey, row.endedAtMs) ? 2 : 1;
      }
      const dueAtMs = row.event === "retry" ? (row.dueAtMs ?? row.endedAtMs) : null;
      const isReady = dueAtMs === null || dueAtMs <= row.endedAtMs;
      const rank = dueAtMs === null ? null : toRank(dueAtMs, task.priority);
      waitAgain.run(status, isReady ? "ready" : "time", attempt, failed, dueAtMs, rank, ...fence);
      insertAttempt.run(task.seq, attempt, version, containerId, startedAtMs, row.endedAtMs, row.outcome, row.error);
      return isReady ? 2 : 1;
    },
  };
}
