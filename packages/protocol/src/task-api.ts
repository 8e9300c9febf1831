import { encodeValue } from "./values.ts";
import type { TaskAttempt, TaskStatus } from "./tasks.ts";
import type { SerializedError } from "./errors.ts";

/** How many tasks one request may queue. */
export const MAX_PUT_TASKS = 1_000;

/** The largest input of a task: it is kept, and held in memory while it waits. */
export const MAX_TASK_BYTES = 16 * 1024 * 1024;

/** Delay, head start and time to live: what is more than a year is a mistake in the unit. */
export const MAX_TASK_TERM_MS = 366 * 86_400_000;

/** What a task's options may be, in milliseconds and in words. */
export const TASK_TERMS = {
  delay: { minMs: 0, maxMs: MAX_TASK_TERM_MS, words: "0 to 366 days" },
  priority: { minMs: -MAX_TASK_TERM_MS, maxMs: MAX_TASK_TERM_MS, words: "at most 366 days, forward or back" },
  ttl: { minMs: 1, maxMs: MAX_TASK_TERM_MS, words: "more than 0, and at most 366 days" },
} as const;

/** Of an idempotency key, and of a concurrency key. */
export const MAX_TASK_KEY_LENGTH = 255;

/** How long one request may wait for a task: `?wait=`, `Prefer: wait`. */
export const MAX_TASK_WAIT_MS = 300_000;

/** One input to be queued, as the SDK and the API send it. */
export interface PutTask {
  /** JSON, where the request is JSON; in a value request the input itself. Absent: none. */
  readonly input?: unknown;
  /** Of a value request, in place of `input`: the input as one encoded value, which nobody reads but the worker. What handles send. */
  readonly encodedInput?: Uint8Array;
  /** Not before so many milliseconds. */
  readonly delayMs?: number;
  /** A head start over others, in milliseconds of waiting: nothing waits for ever. May be negative. */
  readonly priorityMs?: number;
  /** Expires when no attempt has begun by then; of the function's `ttl` where absent. */
  readonly ttlMs?: number;
  /** The same key within 24 h is the same task. At most 255 characters. */
  readonly idempotencyKey?: string;
  /** Tasks of one key run one after another, in the order of their coming. At most 255 characters. */
  readonly concurrencyKey?: string;
}

export interface PutTasksRequest {
  readonly tasks: readonly PutTask[];
}

export interface PutTaskResult {
  readonly id: string;
  /** False: an earlier task with the same idempotency key stands for it. */
  readonly created: boolean;
}

export interface PutTasksResponse {
  readonly tasks: readonly PutTaskResult[];
}

/**
 * What code in a container asks about a task of its own app.
 *
 * `result`: its result as an input is answered, `timeout` when it isn't over within `waitMs` (absent: for ever).
 * `info`: `TaskInfo`. `cancel`: whether it changed anything.
 */
export interface TaskQuestion {
  readonly ask: "result" | "info" | "cancel";
  readonly id: string;
  readonly waitMs?: number;
}

/** A task as lists show it. */
export interface TaskInfo {
  readonly id: string;
  /** The function's public name. */
  readonly function: string;
  readonly app: string;
  readonly method: string | null;
  /** Constructor arguments of a class. */
  readonly parameters: readonly unknown[];
  /** `queued`: durable. `call`: somebody waits for it on a connection, and its record is written behind. */
  readonly delivery: "queued" | "call";
  /** Of its last attempt; null before the first. */
  readonly version: number | null;
  readonly status: TaskStatus;
  readonly attempts: readonly TaskAttempt[];
  readonly createdAtMs: number;
  /** Not before. Of a task at RETRY: when the next attempt may begin. */
  readonly dueAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
  readonly expiresAtMs: number | null;
  readonly priorityMs: number;
  readonly concurrencyKey: string | null;
  readonly idempotencyKey: string | null;
  /** Of a schedule: the moment that it stands for. */
  readonly tickAtMs: number | null;
  /** Of its last attempt, where that failed. */
  readonly error: SerializedError | null;
}

export interface TaskDetail extends TaskInfo {
  /**
   * At COMPLETE: JSON as it is; a value as JSON shows it best (dates as text, maps as objects, bytes as base64); other
   * text as a string, other bytes as base64. Absent for what has none, and where it is larger than 16 MiB.
   * `/tasks/{id}/result` has it unchanged.
   */
  readonly result?: unknown;
  readonly resultType: string | null;
  /** As it is kept; null where there is none. */
  readonly resultBytes: number | null;
  /** Of its input, as `result`; absent where it is larger than 64 KiB. */
  readonly input?: unknown;
  /** What it waits for, in words; null where it doesn't. */
  readonly reason: string | null;
  readonly callback: CallbackInfo | null;
}

export interface TaskPage {
  /** Newest first. */
  readonly tasks: readonly TaskInfo[];
  /** For the next page; null: there is none. */
  readonly cursor: string | null;
}

/** A task reached a status. */
export interface TaskChange {
  readonly id: string;
  readonly function: string;
  readonly app: string;
  readonly status: TaskStatus;
  /** Of its last attempt; 0 before the first. */
  readonly attempt: number;
  readonly atMs: number;
  readonly error?: SerializedError;
}

/** Which tasks a change is for: all that match all of it. At least one of them must be there. */
export interface TaskSelection {
  readonly ids?: readonly string[];
  readonly function?: string;
  readonly app?: string;
  readonly statuses?: readonly TaskStatus[];
  /** Neither includes its own millisecond. */
  readonly createdBeforeMs?: number;
  readonly createdAfterMs?: number;
}

/** Which tasks a list has; and, in a change, `delivery` beside something else: calls are over, and stay what they are. */
export interface TaskListing extends TaskSelection {
  readonly delivery?: TaskInfo["delivery"];
}

export interface ScheduleInfo {
  readonly name: string;
  readonly app: string;
  readonly id: string;
  /** As its author wrote it: cron, a name, or `every 5m`. */
  readonly when: string;
  readonly timezone: string | null;
  readonly overlap: "skip" | "queue" | "allow";
  readonly catchUp: "none" | "last" | "all";
  readonly state: "active" | "paused" | "stopped";
  /** The next five; none while it is paused or stopped. */
  readonly nextRunsAtMs: readonly number[];
  readonly lastTickAtMs: number | null;
  /** Of that tick; null where it was skipped. */
  readonly lastTaskId: string | null;
}

/**
 * What is posted to a `callbackUrl`, signed as Standard Webhooks says (https://www.standardwebhooks.com): headers
 * `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature`.
 */
export interface CallbackBody {
  readonly type: "task.completed" | "task.failed" | "task.timed-out" | "task.cancelled" | "task.expired";
  /** ISO 8601: when the task was over. */
  readonly timestamp: string;
  readonly data: Pick<TaskDetail, "id" | "function" | "app" | "version" | "status" | "attempts" | "result" | "resultType" | "error"> & {
    /** Where a result is that was too large to be posted. */
    readonly note?: string;
  };
}

/** A callback that is on its way, arrived, or failed for good. */
export interface CallbackInfo {
  readonly id: string;
  readonly taskId: string;
  readonly function: string;
  readonly app: string;
  readonly url: string;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly createdAtMs: number;
  /** Of the next attempt; null when there is none. */
  readonly dueAtMs: number | null;
  readonly endedAtMs: number | null;
  /** What the last attempt met: `503`, or what the connection said. Null: none yet, or it arrived. */
  readonly lastError: string | null;
}

/** With its input encoded by itself, as a value request carries it. Throws `unserializable_input`. */
export function toEncodedTask({ input, ...task }: PutTask): PutTask {
  return input === undefined ? task : { ...task, encodedInput: encodeValue(input, "unserializable_input") };
}

/** Of a value request, as the worker will read it; null for none. */
export function toValueBody({ input, encodedInput }: PutTask): Buffer | null {
  if (encodedInput) return Buffer.from(encodedInput.buffer, encodedInput.byteOffset, encodedInput.byteLength);
  return input === undefined ? null : encodeValue(input, "unserializable_input");
}
