import type { TaskAttempt, TaskStatus } from "@samovar/protocol";
import type { ReleasedHead } from "./sqlite-task-turns.ts";
import type { CallRecord, NewTask, TaskFilter, TaskRecord, TaskSettlement, WaitingTask } from "./task-store.ts";

/**
 * What the storage thread does with tasks. What every task goes through (insert, started, settle, ready) travels as
 * tuples, and bytes apart from them in one piece per message: the structured clone of objects with bytes of their own
 * costs more than what SQLite does with them.
 */
export interface TaskOperations {
  /**
   * `rows` has one row of which all are that differ in id and input alone, or one for each id. `blobs` are the inputs, one for each id; empty for one
   * that lies in a file. `large` says which do, where any does.
   */
  "tasks.insert": {
    readonly asked: { readonly ids: readonly string[]; readonly rows: readonly TaskRow[]; readonly large?: readonly (LargeInput | null)[] };
    readonly answered: readonly InsertAnswer[];
  };
  "tasks.knownKeys": {
    readonly asked: { readonly queue: string; readonly keys: readonly string[]; readonly nowMs: number };
    readonly answered: readonly string[];
  };
  "tasks.ready": {
    readonly asked: { readonly queue: string; readonly rank: number; readonly id: string; readonly limit: number };
    readonly answered: { readonly rows: readonly ReadyRow[]; readonly sizes: readonly number[]; readonly inputs: Uint8Array };
  };
  /** A piece at a time. */
  "tasks.promote": {
    readonly asked: { readonly nowMs: number; readonly limit: number };
    readonly answered: {
      readonly queues: readonly (readonly [queue: string, fromRank: number])[];
      readonly nextDueAtMs: number | null;
      readonly nextExpiryAtMs: number | null;
      readonly more: boolean;
    };
  };
  "tasks.started": { readonly asked: { readonly starts: readonly StartRow[] }; readonly answered: undefined };
  /** `blobs` has the result, where `encoding` is not null. */
  "tasks.settle": { readonly asked: { readonly row: SettlementRow }; readonly answered: SettleAnswer };
  /** A piece at a time: `after` is where the last one ended, null at first. */
  "tasks.change": {
    readonly asked: {
      readonly event: "cancel" | "expire" | "revive";
      readonly which: TaskFilter;
      readonly nowMs: number;
      readonly after: ChangePosition | null;
    };
    readonly answered: { readonly changed: readonly ChangedRow[]; readonly next: ChangePosition | null };
  };
  "tasks.get": {
    readonly asked: { readonly id: string };
    readonly answered: { readonly task: StoredTask; readonly resultFile: string | null } | undefined;
  };
  /** The names of all files that are in use. */
  "tasks.files": { readonly asked: object; readonly answered: readonly string[] };
  /** Looks at so many rows and no more; goes on at `next`, null where there is no more. */
  "tasks.list": {
    readonly asked: { readonly filter: TaskFilter; readonly limit: number; readonly from: ListPosition | null };
    readonly answered: { readonly tasks: readonly StoredTask[]; readonly next: ListPosition | null };
  };
  "tasks.counts": { readonly asked: { readonly queue: string }; readonly answered: readonly (readonly [TaskStatus, number])[] };
  /** A piece at a time. `kept` are ids of containers. */
  "tasks.recover": {
    readonly asked: { readonly nowMs: number; readonly kept: readonly string[]; readonly limit: number };
    readonly answered: { readonly queues: readonly string[]; readonly more: boolean };
  };
  /** What runs, a page at a time: after the row of that number, and no more than its inputs allow. */
  "tasks.running": {
    readonly asked: { readonly after: number; readonly limit: number };
    readonly answered: {
      readonly rows: readonly ReadyRow[];
      readonly sizes: readonly number[];
      readonly inputs: Uint8Array;
      readonly attempts: readonly RunningAttempt[];
    };
  };
  "tasks.recordCalls": { readonly asked: { readonly rows: readonly CallRow[] }; readonly answered: undefined };
  /** With the files of what was removed. */
  "tasks.prune": {
    readonly asked: { readonly nowMs: number; readonly limit: number };
    readonly answered: { readonly more: boolean; readonly files: readonly string[] };
  };
}

export interface LargeInput {
  readonly file: string;
  /** SHA-256 of the input, hex, for its fingerprint; null where it needs none. */
  readonly hash: string | null;
}

/** A new task but for its id and input. */
export type TaskRow = readonly [
  queue: string,
  functionName: string,
  app: string,
  method: string | null,
  parameters: string,
  encoding: NewTask["encoding"],
  createdAtMs: number,
  dueAtMs: number,
  priority: number,
  expiresAtMs: number | null,
  concurrencyKey: string | null,
  idempotencyKey: string | null,
  idempotencyMs: number,
  keepMs: number,
  callbackUrl: string | null,
  tick: string | null,
  reply: string,
];

/**
 * Inserted and ready; inserted and not ready; not inserted, because of another one's conflict; or the id of the task that
 * stands for it, in brackets where that had another input.
 */
export type InsertAnswer = 1 | 0 | null | string | readonly [string];

export type ReadyRow = readonly [
  rank: number,
  id: string,
  method: string | null,
  parameters: string,
  encoding: WaitingTask["encoding"],
  createdAtMs: number,
  expiresAtMs: number | null,
  concurrencyKey: string | null,
  callbackUrl: string | null,
  attempt: number,
  failures: number,
  reply: string,
  /** The input lies there, and its bytes are none. */
  file: string | null,
];

/** What is known of a row that runs, beside what it was given out with. */
export interface RunningAttempt {
  readonly seq: number;
  readonly queue: string;
  readonly app: string;
  readonly functionName: string;
  readonly version: number;
  readonly containerId: string;
  readonly startedAtMs: number;
}

export type StartRow = readonly [id: string, attempt: number, version: number, containerId: string, startedAtMs: number];

export interface SettlementRow {
  readonly start: StartRow;
  /** The start isn't written yet: it is part of this change. */
  readonly withStart: boolean;
  readonly event: TaskSettlement["event"];
  readonly outcome: NonNullable<TaskAttempt["outcome"]>;
  readonly endedAtMs: number;
  readonly dueAtMs: number | null;
  /** Of the result; null: there is none. */
  readonly encoding: string | null;
  /** The result lies there, and its bytes are none. */
  readonly file?: string;
  /** JSON. */
  readonly error: string | null;
}

/** Too late; applied; applied, and it is ready again at once; or applied, and the next of its line waits for nothing but its time. */
export type SettleAnswer = 0 | 1 | 2 | ReleasedHead;

export type ChangedRow = readonly [id: string, queue: string, functionName: string, app: string, status: TaskStatus, attempt: number | null];

/** Rows between: what comes while a change is under way is none of it. */
export interface ChangePosition {
  readonly at: number;
  readonly end: number;
}

/** `error` is JSON. */
export type CallRow = readonly [
  id: string,
  functionName: string,
  app: string,
  method: string | null,
  version: number,
  containerId: string | null,
  status: CallRecord["status"],
  createdAtMs: number,
  startedAtMs: number | null,
  endedAtMs: number,
  attempts: number,
  error: string | null,
];

/** Of both tables, whose rows a list shows as one: what comes next is older than this task, and this call. */
export interface ListPosition {
  readonly seq: number;
  readonly call: string;
}

/** JSON that nobody has read yet stands in the place of its value. */
export interface StoredTask extends Omit<TaskRecord, "attempts" | "error" | "startedAtMs"> {
  /** Of a call, which may fail without an attempt. */
  readonly callError: string | null;
  readonly attempts: readonly StoredAttempt[];
}

export interface StoredAttempt extends Omit<TaskAttempt, "error"> {
  readonly error: string | null;
}
