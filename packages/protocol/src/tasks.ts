import type { SerializedError } from "./errors.ts";

/**
 * What a task is at, as users read it.
 *
 * | status | meaning |
 * |---|---|
 * | PENDING | accepted, and on disk; waits for its time, its turn or a container |
 * | RUNNING | an attempt is in a worker |
 * | RETRY | an attempt failed, and another follows at `dueAtMs` |
 * | COMPLETE | it has a result |
 * | ERROR | its last attempt failed, and no retry is left |
 * | TIMEOUT | its last attempt took too long, and no retry is left |
 * | CANCELLED | somebody cancelled it |
 * | EXPIRED | its `ttl` passed before an attempt began |
 */
export type TaskStatus = "PENDING" | "RUNNING" | "RETRY" | "COMPLETE" | "ERROR" | "TIMEOUT" | "CANCELLED" | "EXPIRED";

/** What happens to a task, and who may say so. */
export type TaskEvent =
  /** The queue gave it to a worker. */
  | "start"
  /** The worker that has its current attempt. */
  | "succeed"
  | "fail"
  | "time-out"
  /** The queue: the attempt failed, and its policy has another. */
  | "retry"
  /** The queue: the attempt was lost by our doing (server, drain, room) and is not counted. */
  | "give-back"
  /** A caller, or an operator. */
  | "cancel"
  /** The queue: the time to live passed. */
  | "expire"
  /** An operator: once more, from the beginning. */
  | "revive";

const TRANSITIONS: Readonly<Record<TaskStatus, Readonly<Partial<Record<TaskEvent, TaskStatus>>>>> = {
  PENDING: { start: "RUNNING", cancel: "CANCELLED", expire: "EXPIRED" },
  RUNNING: { succeed: "COMPLETE", fail: "ERROR", "time-out": "TIMEOUT", retry: "RETRY", "give-back": "PENDING", cancel: "CANCELLED" },
  RETRY: { start: "RUNNING", cancel: "CANCELLED", expire: "EXPIRED" },
  COMPLETE: {},
  ERROR: { revive: "PENDING" },
  TIMEOUT: { revive: "PENDING" },
  CANCELLED: { revive: "PENDING" },
  EXPIRED: { revive: "PENDING" },
};

/** The status after an event; undefined where the event comes too late to change anything. */
export function nextTaskStatus(status: TaskStatus, event: TaskEvent): TaskStatus | undefined {
  return TRANSITIONS[status][event];
}

/** By what the ready tasks of a queue are ordered: `dueAtMs` less its head start, `priority` in seconds. */
export function toRank(dueAtMs: number, priority: number): number {
  return Math.round(dueAtMs - priority * 1_000);
}

/** Whether it is due when it comes. By its own clock: who asks at different moments must not differ. */
export function isDueAtOnce({ createdAtMs, dueAtMs }: { readonly createdAtMs: number; readonly dueAtMs: number }): boolean {
  return dueAtMs <= createdAtMs;
}

/** Nothing more happens by itself. */
export function isTaskOver(status: TaskStatus): boolean {
  return status !== "PENDING" && status !== "RUNNING" && status !== "RETRY";
}

export const TASK_STATUSES = Object.freeze(Object.keys(TRANSITIONS)) as readonly TaskStatus[];

/** One try of a task. */
export interface TaskAttempt {
  /** Counts up with every attempt, those that are given back included: the fencing number. */
  readonly number: number;
  readonly version: number;
  readonly containerId: string;
  readonly startedAtMs: number;
  /** Null while it runs. */
  readonly endedAtMs: number | null;
  /** `given-back`: lost by our doing, and not counted against its retries. */
  readonly outcome: "complete" | "error" | "timeout" | "cancelled" | "given-back" | null;
  readonly error: SerializedError | null;
}
