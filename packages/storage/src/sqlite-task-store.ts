import type { SerializedError } from "@samovar/protocol";
import { isLarge, joinInputs, type LargeTasks, type ReadInputs } from "./large-tasks.ts";
import type { InsertAnswer, LargeInput, ReadyRow, SettlementRow, StoredTask, TaskRow } from "./task-operations.ts";
import type { Answered } from "./operations.ts";
import type { StorageThread } from "./storage-thread.ts";
import { parseCursor, toCursor } from "./task-cursor.ts";
import type { CallRecords } from "./call-records.ts";
import { toStartRow, type TaskStarts } from "./task-starts.ts";
import type { ChangedTask, InsertedTask, LeftTask, NewTask, SettledTask, TaskRecord, TaskSettlement, TaskStore, WaitingTask } from "./task-store.ts";

/** Of what happens to many tasks at once, so many are one operation: others come in between. */
const PIECE = 1_000;

const NO_BYTES = new Uint8Array();

export interface TaskStoreParts {
  readonly ask: StorageThread["call"];
  readonly thread: StorageThread;
  readonly starts: TaskStarts;
  readonly calls: CallRecords;
  readonly large: LargeTasks;
}

/**
 * Tasks as callers see them. Rows, JSON and cursors are made and read here. `ask` sends what is written behind before it,
 * so that a question sees it; `thread.call` doesn't, for what depends on no start but its own.
 */
export function createTaskStore({ ask, thread, starts, calls, large }: TaskStoreParts): TaskStore {
  const settleWith = async (settlement: TaskSettlement, awaited: boolean, file: string | undefined): Promise<SettledTask> => {
    const withStart = starts.take(settlement);
    const row = toSettlementRow(settlement, withStart, file);
    const blobs = settlement.result ? [file === undefined ? settlement.result.bytes : NO_BYTES] : [];
    try {
      const answer = await thread.call<"tasks.settle">({ kind: "tasks.settle", row }, blobs, awaited);
      if (typeof answer === "number") return { applied: answer !== 0, isReady: answer === 2 };
      const [rank, nextId, dueAtMs] = answer;
      return { applied: true, isReady: false, next: { rank, id: nextId, dueAtMs } };
    } catch (error) {
      if (withStart) starts.giveBack(settlement);
      throw error;
    }
  };

  /** A commit for each question would be what is saved by writing calls behind: they are sent where it may be about one of them. */
  const find = async (id: string): Promise<Answered<"tasks.get">> => {
    const stored = await ask<"tasks.get">({ kind: "tasks.get", id });
    if (stored || !calls.isGathering) return stored;
    calls.send();
    return ask<"tasks.get">({ kind: "tasks.get", id });
  };

  /** Whatever runs. */
  const readRunning = async (): Promise<LeftTask[]> => {
    const running: LeftTask[] = [];
    for (let after = 0; ;) {
      const page = await ask<"tasks.running">({ kind: "tasks.running", after, limit: PIECE });
      if (page.rows.length === 0) return running;
      const tasks = toWaitingTasks(page).map((task) => ({ ...task, attempt: task.attempt - 1 }));
      const attempts = new Map(tasks.map(({ id }, index) => [id, page.attempts[index]!]));
      for (const task of tasks) {
        const { seq: _, ...attempt } = attempts.get(task.id)!;
        running.push({ ...attempt, task });
      }
      after = page.attempts.at(-1)!.seq;
    }
  };

  return {
    async insert(tasks) {
      if (tasks.length === 0) return [];
      const ids = tasks.map(({ id }) => id);
      const rows = toTaskRows(tasks);
      const insertWith = async (inputs: readonly Uint8Array[], files?: readonly (LargeInput | null)[]): Promise<readonly InsertedTask[]> => {
        const answers = await thread.call<"tasks.insert">({ kind: "tasks.insert", ids, rows, ...(files && { large: files }) }, inputs);
        return answers.map((answer, index) => toInsertedTask(tasks[index]!, answer));
      };
      return tasks.some(({ input }) => isLarge(input)) ? large.insert(tasks, insertWith) : insertWith(tasks.map(({ input }) => input));
    },
    async knownKeys(queue, keys, nowMs) {
      return new Set(keys.length === 0 ? [] : await thread.call<"tasks.knownKeys">({ kind: "tasks.knownKeys", queue, keys, nowMs }));
    },
    async ready(queue, after, limit) {
      const { rank, id } = after ?? { rank: Number.MIN_SAFE_INTEGER, id: "" };
      const inputs: ReadInputs = new Map();
      for (;;) {
        const page = await ask<"tasks.ready">({ kind: "tasks.ready", queue, rank, id, limit });
        const tasks = toWaitingTasks(page);
        const files = page.rows.map((row) => row[12]);
        // What was answered while files were read may have changed what is ready: it is asked again, so that answers come in the order of their questions.
        if (files.every((file) => file === null || inputs.has(file))) return joinInputs(tasks, files, inputs);
        await large.readInputs(files, inputs);
      }
    },
    async promote(nowMs) {
      const queues = new Map<string, number>();
      for (;;) {
        const piece = await ask<"tasks.promote">({ kind: "tasks.promote", nowMs, limit: PIECE });
        for (const [queue, rank] of piece.queues) queues.set(queue, Math.min(rank, queues.get(queue) ?? rank));
        if (piece.more) continue;
        const { nextDueAtMs, nextExpiryAtMs } = piece;
        return { queues: [...queues].map(([queue, fromRank]) => ({ queue, fromRank })), nextDueAtMs, nextExpiryAtMs };
      }
    },
    started: (start) => starts.add(start),
    async settle(settlement, { awaited = true } = {}) {
      const { result } = settlement;
      if (result && isLarge(result.bytes)) return large.settle(result.bytes, (file) => settleWith(settlement, awaited, file));
      return settleWith(settlement, awaited, undefined);
    },
    async change(event, which, nowMs) {
      const changed: ChangedTask[] = [];
      let after = null;
      do {
        const piece: Awaited<ReturnType<typeof ask<"tasks.change">>> = await ask<"tasks.change">({ kind: "tasks.change", event, which, nowMs, after });
        for (const [id, queue, functionName, app, status, attempt] of piece.changed) changed.push({ id, queue, functionName, app, status, attempt });
        after = piece.next;
      } while (after !== null);
      return changed;
    },
    async get(id) {
      const stored = await find(id);
      if (!stored) return undefined;
      const { resultFile } = stored;
      const record = toTaskRecord(stored.task);
      if (resultFile === null) return record;
      try {
        return await large.withResult(record, resultFile);
      } catch (error) {
        // Its files go after it: it may have been removed in between.
        if ((await ask<"tasks.get">({ kind: "tasks.get", id })) === undefined) return undefined;
        throw error;
      }
    },
    async list(filter, { limit, cursor }) {
      if (limit < 1) return { tasks: [], cursor };
      calls.send();
      const tasks: TaskRecord[] = [];
      let from = cursor === null ? null : parseCursor(cursor);
      do {
        const piece: Awaited<ReturnType<typeof ask<"tasks.list">>> = await ask<"tasks.list">({
          kind: "tasks.list",
          filter,
          limit: limit - tasks.length,
          from,
        });
        tasks.push(...piece.tasks.map(toTaskRecord));
        from = piece.next;
      } while (from !== null && tasks.length < limit);
      return { tasks, cursor: from === null ? null : toCursor(from) };
    },
    async counts(queue) {
      return Object.fromEntries(await ask<"tasks.counts">({ kind: "tasks.counts", queue }));
    },
    async recover(nowMs, keptContainers = new Set()) {
      const kept = [...keptContainers];
      for (;;) {
        const piece = await ask<"tasks.recover">({ kind: "tasks.recover", nowMs, kept, limit: PIECE });
        if (!piece.more) return { queues: piece.queues, running: kept.length === 0 ? [] : await readRunning() };
      }
    },
    recordCalls: (records) => calls.add(records),
    async prune(nowMs, limit) {
      const { more, files } = await ask<"tasks.prune">({ kind: "tasks.prune", nowMs, limit });
      if (files.length > 0) await large.remove(files);
      return more;
    },
  };
}

/** One row where it is that of all of them, as it mostly is of what is put in one call. */
function toTaskRows(tasks: readonly NewTask[]): TaskRow[] {
  const first = tasks[0]!;
  return tasks.every((task) => isAlike(task, first)) ? [toTaskRow(first)] : tasks.map(toTaskRow);
}

/** But for id and input. */
function isAlike(task: NewTask, other: NewTask): boolean {
  for (const name in task) if (task[name as keyof NewTask] !== other[name as keyof NewTask] && name !== "id" && name !== "input") return false;
  return true;
}

function toTaskRow(task: NewTask): TaskRow {
  return [
    task.queue,
    task.functionName,
    task.app,
    task.method,
    task.parameters,
    task.encoding,
    task.createdAtMs,
    task.dueAtMs,
    task.priority,
    task.expiresAtMs,
    task.concurrencyKey,
    task.idempotencyKey,
    task.idempotencyMs,
    task.keepMs,
    task.callbackUrl,
    task.tick,
    task.reply,
  ];
}

function toInsertedTask(task: NewTask, answer: InsertAnswer): InsertedTask {
  if (typeof answer === "string") return { id: answer, inserted: false, conflict: false, ready: false };
  if (typeof answer === "number") return { id: task.id, inserted: true, conflict: false, ready: answer === 1 };
  return { id: answer?.[0] ?? task.id, inserted: false, conflict: answer !== null, ready: false };
}

function toWaitingTask(row: ReadyRow, input: Uint8Array): WaitingTask {
  const [rank, id, method, parameters, encoding, createdAtMs, expiresAtMs, concurrencyKey, callbackUrl, attempt, failures, reply] = row;
  return { rank, id, method, parameters, encoding, reply, input, createdAtMs, expiresAtMs, concurrencyKey, callbackUrl, attempt, failures };
}

function toWaitingTasks({ rows, sizes, inputs }: Answered<"tasks.ready"> | Answered<"tasks.running">): WaitingTask[] {
  let at = 0;
  return rows.map((row, index) => {
    at += sizes[index]!;
    return toWaitingTask(row, inputs.slice(at - sizes[index]!, at));
  });
}

function toSettlementRow(settlement: TaskSettlement, withStart: boolean, file: string | undefined): SettlementRow {
  const { event, endedAtMs, dueAtMs, result, error } = settlement;
  return {
    start: toStartRow(settlement),
    withStart,
    event,
    outcome: toOutcome(settlement),
    endedAtMs,
    dueAtMs,
    encoding: result?.encoding ?? null,
    ...(file !== undefined && { file }),
    error: error === null ? null : JSON.stringify(error),
  };
}

function toOutcome({ event, error }: TaskSettlement): SettlementRow["outcome"] {
  switch (event) {
    case "succeed":
      return "complete";
    case "fail":
      return "error";
    case "time-out":
      return "timeout";
    case "retry":
      return error?.code === "timeout" ? "timeout" : "error";
    case "give-back":
      return "given-back";
    default:
      return event satisfies never;
  }
}

function toTaskRecord({ callError, ...stored }: StoredTask): TaskRecord {
  const attempts = stored.attempts.map((attempt) => ({ ...attempt, error: toSerializedError(attempt.error) }));
  const startedAtMs = attempts[0]?.startedAtMs ?? null;
  if (!stored.durable) return { ...stored, attempts, startedAtMs, error: toSerializedError(callError) };
  const hasFailed = stored.status === "ERROR" || stored.status === "TIMEOUT" || stored.status === "RETRY";
  return { ...stored, attempts, startedAtMs, error: (hasFailed && attempts.at(-1)?.error) || null };
}

function toSerializedError(json: string | null): SerializedError | null {
  return json === null ? null : (JSON.parse(json) as SerializedError);
}
