import type { TaskAttempt, TaskStatus } from "@samovar/protocol";
import type { NewTask, TaskFilter, TaskRecord, TaskSettlement, WaitingTask } from "./task-store.ts";

/**
 * What the storage thread does with tasks. What every task goes through (insert, started, settle, ready) travels as
 * tuples, and bytes apart from them in one piece per message: the structured clone of objects with bytes of their own
 * costs more than what SQLite does with them.
 */
export interface TaskOperations {
  /** `blobs` are the inputs, one per row. */
  "tasks.insert": { readonly asked: { readonly rows: readonly TaskRow[] }; readonly answered: readonly InsertAnswer[] };
  "tasks.ready": {
    readonly asked: { readonly queue: string; readonly rank: number; readonly id: string; readonly limit: number };
    readonly answered: { readonly rows: readonly ReadyRow[]; readonly sizes: readonly number[]; readonly inputs: Uint8Array };
  };
  /** A piece at a time. */
  "tasks.promote": {
    readonly asked: { readonly nowMs: number; readonly limit: number };
    readonly answered: { readonly queues: readonly string[]; readonly nextDueAtMs: number | null; readonly more: boolean };
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
  "tasks.get": { readonly asked: { readonly id: string }; readonly answered: StoredTask | undefined };
  /** Looks at so many rows and no more: null where it may go on, from `before`. */
  "tasks.list": {
    readonly asked: { readonly filter: TaskFilter; readonly limit: number; readonly before: number | null };
    readonly answered: { readonly tasks: readonly StoredTask[]; readonly before: number | null };
  };
  "tasks.counts": { readonly asked: { readonly queue: string }; readonly answered: readonly (readonly [TaskStatus, number])[] };
  "tasks.recover": {
    readonly asked: { readonly nowMs: number; readonly limit: number };
    readonly answered: { readonly queues: readonly string[]; readonly more: boolean };
  };
  "tasks.prune": { readonly asked: { readonly nowMs: number; readonly limit: number }; readonly answered: boolean };
}

export type TaskRow = readonly [
  id: string,
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
];

/** Inserted and ready, inserted and not ready, or the id of the task that stands for it. */
export type InsertAnswer = 1 | 0 | string;

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
];

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
  /** JSON. */
  readonly error: string | null;
}

/** Too late; applied; applied, and the queue has another ready task. */
export type SettleAnswer = 0 | 1 | 2;

export type ChangedRow = readonly [id: string, queue: string, status: TaskStatus, attempt: number | null];

/** Rows between: what comes while a change is under way is none of it. */
export interface ChangePosition {
  readonly at: number;
  readonly end: number;
}

/** JSON that nobody has read yet stands in the place of its value. */
export interface StoredTask extends Omit<TaskRecord, "attempts" | "error" | "startedAtMs"> {
  readonly attempts: readonly StoredAttempt[];
}

export interface StoredAttempt extends Omit<TaskAttempt, "error"> {
  readonly error: string | null;
}
