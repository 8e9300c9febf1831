import type { DatabaseSync } from "node:sqlite";
import { isDueAtOnce, isTaskOver, nextTaskStatus, toRank, type TaskStatus } from "@samovar/protocol/tasks";
import type { SqliteCallbacks } from "./sqlite-callbacks.ts";
import { TaskCounts } from "./sqlite-task-counts.ts";
import { createTaskKeys, toFingerprint, toHash, type Keyed } from "./sqlite-task-keys.ts";
import type { TaskQueues } from "./sqlite-task-queues.ts";
import { createTaskTurns } from "./sqlite-task-turns.ts";
import type { InsertAnswer, LargeInput, SettleAnswer, SettlementRow, StartRow, TaskRow } from "./task-operations.ts";

/** Where a task stands, as every change of it needs to know. */
interface Standing {
  readonly seq: number;
  readonly queue: string;
  readonly status: TaskStatus;
  readonly attempt: number;
  readonly isReady: boolean;
  readonly concurrencyKey: string | null;
  readonly priority: number;
  readonly callbackUrl: string | null;
}

type StandingRow = readonly [
  seq: number,
  queue: string,
  status: TaskStatus,
  attempt: number,
  wait: string | null,
  concurrencyKey: string | null,
  priority: number,
  callbackUrl: string | null,
];

export type SqliteTasks = ReturnType<typeof createSqliteTasks>;

/** The way of a task that goes as it should: insert, started, settle. Every change is fenced by attempt and status. */
export function createSqliteTasks(database: DatabaseSync, callbacks: SqliteCallbacks, queues: TaskQueues) {
  const counts = new TaskCounts(database);
  const keys = createTaskKeys(database);
  const turns = createTaskTurns(database);

  // Many rows by one statement: half of what one for each costs.
  const insertTasks = database.prepare(`
    INSERT INTO tasks (id, queue, status, wait, due_at_ms, rank, turn, expiry_at_ms, expires_at_ms, function_name, app, method,
      parameters, encoding, created_at_ms, priority, concurrency_key, idempotency_key, keep_ms, callback_url, tick, reply)
    SELECT value, ?2, 'PENDING', ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20 FROM json_each(?1) ORDER BY json_each.rowid`);
  const insertInput = database.prepare("INSERT INTO task_inputs (task, input, file) VALUES (?, ?, ?)");
  const insertResult = database.prepare("INSERT INTO task_results (task, encoding, result, file) VALUES (?, ?, ?, ?)");
  const insertAttempt = database.prepare(`
    INSERT INTO task_attempts (task, number, version, container_id, started_at_ms, ended_at_ms, outcome, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`);
  const find = database.prepare("SELECT seq, queue, status, attempt, wait, concurrency_key, priority, callback_url FROM tasks WHERE id = ?");
  find.setReturnArrays(true);
  const start = database.prepare(`
    UPDATE tasks SET status = 'RUNNING', wait = NULL, expiry_at_ms = NULL, attempt = ?, version = ?, container_id = ?, started_at_ms = ?
    WHERE seq = ? AND attempt = ? AND status = ?`);
  const end = database.prepare(`
    UPDATE tasks SET status = ?, wait = NULL, turn = NULL, expiry_at_ms = NULL, attempt = ?, failures = failures + ?, version = ?, container_id = ?,
      started_at_ms = ?, ended_at_ms = ?, gone_at_ms = CASE WHEN callback_url IS NULL THEN ? + keep_ms END, error = ?
    WHERE seq = ? AND attempt = ? AND status = ?`);
  const waitAgain = database.prepare(`
    UPDATE tasks SET status = ?, wait = ?, expiry_at_ms = NULL, attempt = ?, failures = failures + ?, due_at_ms = coalesce(?, due_at_ms),
      rank = coalesce(?, rank), version = NULL, container_id = NULL, started_at_ms = NULL
    WHERE seq = ? AND attempt = ? AND status = ?`);

  const standing = (id: string): Standing | undefined => {
    const row = find.get(id) as unknown as StandingRow | undefined;
    if (!row) return undefined;
    const [seq, queue, status, attempt, wait, concurrencyKey, priority, callbackUrl] = row;
    return { seq, queue, status, attempt, isReady: wait === "ready", concurrencyKey, priority, callbackUrl };
  };

  const mayStart = (task: Standing, attempt: number): boolean =>
    task.isReady && task.attempt === attempt - 1 && nextTaskStatus(task.status, "start") !== undefined;

  /** All of them are as this row says; of a concurrency key it is one. */
  const insertAlike = (ids: readonly string[], row: TaskRow, inputs: readonly Uint8Array[], file: string | null): 1 | 0 => {
    const [queue, functionName, app, method, parameters, encoding, createdAtMs, dueAtMs, priority, expiresAtMs, concurrencyKey] = row;
    const [, , , , , , , , , , , idempotencyKey, , keepMs, callbackUrl, tick, reply] = row;
    const place = concurrencyKey === null ? null : turns.next(queue, concurrencyKey);
    const wait = place?.isHead === false ? "turn" : isDueAtOnce({ createdAtMs, dueAtMs }) ? "ready" : "time";
    const { lastInsertRowid } = insertTasks.run(
      JSON.stringify(ids),
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
      reply,
    );
    let seq = Number(lastInsertRowid) - ids.length;
    for (const input of inputs) insertInput.run(++seq, input, file);
    queues.add(functionName, queue);
    counts.move(queue, null, "PENDING", ids.length);
    return wait === "ready" ? 1 : 0;
  };

  const insertOne = (id: string, row: TaskRow, keyed: Keyed | null, input: Uint8Array, file: string | null): InsertAnswer => {
    const earlier = keyed && keys.find(keyed);
    if (earlier) return earlier.conflict ? [earlier.id] : earlier.id;
    const answer = insertAlike([id], row, [input], file);
    if (keyed) keys.keep(keyed);
    return answer;
  };

  /** Where one has a conflict, those beside it are not kept either. */
  const allOrNone = (queueOf: (index: number) => string, insertAll: () => InsertAnswer[]): InsertAnswer[] => {
    database.exec("SAVEPOINT insertion");
    let answers = insertAll();
    if (answers.some((answer) => Array.isArray(answer))) {
      database.exec("ROLLBACK TO insertion");
      for (const [index, answer] of answers.entries()) if (typeof answer === "number") counts.move(queueOf(index), "PENDING", null);
      queues.forget();
      answers = answers.map((answer) => (Array.isArray(answer) ? answer : null));
    }
    database.exec("RELEASE insertion");
    return answers;
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
    insert(ids: readonly string[], rows: readonly TaskRow[], inputs: readonly Uint8Array[], large?: readonly (LargeInput | null)[]): InsertAnswer[] {
      if (rows.length === 1 && !large && !isKeyed(rows[0]!)) {
        const answer = insertAlike(ids, rows[0]!, inputs, null);
        return ids.map(() => answer);
      }
      const rowOf = (index: number): TaskRow => rows[index] ?? rows[0]!;
      const keyed = ids.map((id, index) => toKeyed(id, rowOf(index), inputs[index]!, large?.[index]?.hash ?? null));
      const insertAll = (): InsertAnswer[] => ids.map((id, index) => insertOne(id, rowOf(index), keyed[index]!, inputs[index]!, large?.[index]?.file ?? null));
      const mayConflict = ids.length > 1 && keyed.some((each) => each?.fingerprint);
      return mayConflict ? allOrNone((index) => rowOf(index)[0], insertAll) : insertAll();
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
        if (row.encoding !== null && result) insertResult.run(task.seq, row.encoding, result, row.file ?? null);
        if (task.callbackUrl !== null) callbacks.add([task.seq], row.endedAtMs);
        return (task.concurrencyKey === null ? undefined : turns.release(task.queue, task.concurrencyKey, row.endedAtMs)) ?? 1;
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

/** Whether what it comes to depends on others. */
function isKeyed([, , , , , , , , , , concurrencyKey, idempotencyKey, , , , tick]: TaskRow): boolean {
  return concurrencyKey !== null || idempotencyKey !== null || tick !== null;
}

function toKeyed(id: string, row: TaskRow, input: Uint8Array, inputHash: string | null): Keyed | null {
  const [queue, , , method, parameters, encoding, createdAtMs, , , , , idempotencyKey, idempotencyMs, , , tick, reply] = row;
  if (idempotencyKey === null && tick === null) return null;
  const fingerprint = idempotencyKey === null ? null : toFingerprint({ method, parameters, encoding, reply }, inputHash ?? toHash(input));
  return { id, queue, createdAtMs, idempotencyKey, fingerprint, idempotencyMs, tick };
}
