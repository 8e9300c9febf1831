import type { CallbackInfo, PutTaskResult, RequestHead, ScheduleInfo, TaskChange, TaskDetail, TaskPage, TaskListing } from "@samovar/protocol";
import type { FunctionEntry } from "./function-table.ts";
import type { InputRequest, InputSink } from "./input.ts";

/** Work that is queued: accepted when it is on disk, and done whatever dies meanwhile. */
export interface TaskControl {
  /**
   * Queues inputs for one function; resolves when all of them are on disk, in order. Rejects, and queues none, with
   * `too_many_pending`, `stopped`, `idempotency_conflict`, `invalid_request`, `payload_too_large` or `storage_failed`.
   */
  put(entry: FunctionEntry, parameters: readonly unknown[], tasks: readonly NewInput[]): Promise<readonly PutTaskResult[]>;
  /**
   * Answers the sink as a call would be answered, once the task is over: `result`, or `head`, `data` and `end`, or
   * `error` (`not_found`, `cancelled`, `expired`, or what its last attempt met). Leaving changes nothing for the task.
   */
  answer(id: string, sink: InputSink): TaskWait;
  /** Undefined for one that is unknown or no longer kept. */
  get(id: string): Promise<TaskDetail | undefined>;
  list(selection: TaskListing, page: { readonly limit: number; readonly cursor: string | null }): Promise<TaskPage>;
  /** What changed; a task that was over is not among it. Rejects with `invalid_request` for a selection of everything. */
  cancel(selection: TaskListing): Promise<readonly string[]>;
  /** Those that failed, timed out, expired or were cancelled are queued once more, from the beginning, where somebody serves them. */
  retry(selection: TaskListing): Promise<RetriedTasks>;
  /** Pushed: every change from now on that matches. For one task the last is the one with which it is over. */
  watch(which: TaskWatch, listener: (change: TaskChange) => void): () => void;
}

export interface RetriedTasks {
  readonly ids: readonly string[];
  /** Left as they are, because nobody takes them any more, and why, in words. At most 1,000 are told. */
  readonly unserved: readonly { readonly id: string; readonly reason: string }[];
}

/** All that is given must match. */
export interface TaskWatch {
  readonly id?: string;
  readonly function?: string;
  readonly app?: string;
}

export interface TaskWait {
  leave(): void;
}

export interface NewInput extends Pick<InputRequest, "method" | "encoding" | "reply" | "stream"> {
  readonly request: RequestHead | null;
  /** Its caller named this version, by number or id: it is run by no other. */
  readonly pinned?: boolean;
  /** Its caller has no token: of a public function. */
  readonly anonymous?: boolean;
  readonly body: Buffer | null;
  readonly delayMs: number;
  readonly priorityMs: number;
  /** Null: of the function's own. */
  readonly ttlMs: number | null;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
}

/** Names that aren't schedules reject with `not_found`. */
export interface ScheduleControl {
  list(): readonly ScheduleInfo[];
  get(name: string): ScheduleInfo;
  /** One task now, beside its ticks and whatever `overlap` says. Resolves to the task's id. */
  run(name: string): Promise<string>;
  pause(name: string): Promise<ScheduleInfo>;
  /** Ticks that passed meanwhile are not made up for. */
  resume(name: string): Promise<ScheduleInfo>;
}

export interface CallbackControl {
  /** Newest first; `before`: the last one of the page before. */
  list(filter: {
    readonly state?: CallbackInfo["state"];
    readonly app?: string;
    readonly before?: string;
    readonly limit: number;
  }): Promise<readonly CallbackInfo[]>;
  get(id: string): Promise<CallbackInfo | undefined>;
  /** What callbacks of an app are signed with: `whsec_` and base64. */
  secret(app: string): string;
  /** Once more from the beginning. Rejects with `not_found`, or `conflict` where it hasn't failed for good. */
  retry(id: string): Promise<CallbackInfo>;
  /** All that failed for good, of tasks that ended after that moment; resolves to how many are sent once more. */
  retryFailed(filter: { readonly app?: string; readonly createdAfterMs?: number }): Promise<number>;
}
