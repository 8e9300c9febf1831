import type { SerializedError, TaskAttempt, TaskStatus } from "@samovar/protocol";

/**
 * Tasks: work that was accepted and must be done, whatever dies meanwhile.
 *
 * Each stands in a queue, which is a deployment's name in lower case or, in a session, a function's id. A task that
 * waits is *ready* or not: not before `dueAtMs`, and of those that share a `concurrencyKey` only the first that is not
 * over. Only ready ones are given out, in the order of their `rank`; so whatever waits for something else is never in
 * the way, however much of it there is.
 *
 * The server's memory owns who runs what; this store makes it last. Every change names the attempt that it is about, and
 * one that comes too late (fencing) or that `nextTaskStatus` doesn't know changes nothing and resolves to false.
 */
export interface TaskStore {
  /**
   * Resolves when all of them are on disk, or rejects and none is; with what became of each, in order. One whose `idempotencyKey` its queue has seen
   * within `idempotencyMs` is not inserted: the earlier one's id is given, and `conflict` where that one had another input. Where one has a
   * conflict none of them is inserted, the others neither.
   */
  insert(tasks: readonly NewTask[]): Promise<readonly InsertedTask[]>;
  /** Those of these idempotency keys that stand for a task of the queue by now: another one with it would not be inserted. */
  knownKeys(queue: string, keys: readonly string[], nowMs: number): Promise<ReadonlySet<string>>;
  /**
   * Ready ones of a queue in order, after that rank and id; what is needed to run them. Fewer than `limit` may be given
   * while there are more, where their inputs are large; none only where there are none.
   */
  ready(queue: string, after: QueuePosition | null, limit: number): Promise<readonly WaitingTask[]>;
  /** Makes ready whatever is due by now; resolves to the queues that got some, when the next one is due, and when the next one expires. */
  promote(nowMs: number): Promise<{ readonly queues: readonly PromotedQueue[]; readonly nextDueAtMs: number | null; readonly nextExpiryAtMs: number | null }>;
  /**
   * An attempt began, of a task that `ready` gave out. Written behind, at the latest before the next question or with its
   * settlement: after a crash the task waits again, as it would anyway.
   */
  started(start: TaskStart): void;
  /**
   * The attempt ended; resolves when that is on disk. What is not `awaited` (default: it is) shares the commit of what is
   * asked next, or has one after a moment.
   */
  settle(settlement: TaskSettlement, options?: { readonly awaited?: boolean }): Promise<SettledTask>;
  /**
   * Cancels, expires or revives; resolves to the tasks that changed, with the attempt that ran, if one did. Many are
   * changed some at a time, and others' calls come in between. What is revived is due now, has its whole time to live,
   * and stands last in the line of its concurrency key. A change may make another task of the same queue ready.
   */
  change(event: "cancel" | "expire" | "revive", which: TaskFilter, nowMs: number): Promise<readonly ChangedTask[]>;
  get(id: string): Promise<TaskRecord | undefined>;
  /** Newest first, without inputs and results. `cursor` is the last one's of the page before. */
  list(
    filter: TaskFilter,
    page: { readonly limit: number; readonly cursor: string | null },
  ): Promise<{ readonly tasks: readonly TaskRecord[]; readonly cursor: string | null }>;
  /** Of a queue, how many are at each status that is not over. */
  counts(queue: string): Promise<Readonly<Partial<Record<TaskStatus, number>>>>;
  /**
   * At the start of a server: what ran when the last one ended waits again, not counted, but for what runs in these
   * containers, which goes on.
   */
  recover(nowMs: number, keptContainers?: ReadonlySet<string>): Promise<RecoveredTasks>;
  /**
   * Calls that somebody waited for on a connection, when they are over: written behind, a batch at a time, and read by
   * `get` and `list` like the others. Nothing else is done with them.
   */
  recordCalls(calls: readonly CallRecord[]): void;
  /** Removes what ended longer ago than it is kept; some at a time, true while there is more. */
  prune(nowMs: number, limit: number): Promise<boolean>;
}

export interface NewTask {
  readonly id: string;
  readonly queue: string;
  /** The function as its caller named it. */
  readonly functionName: string;
  readonly app: string;
  readonly method: string | null;
  /** Constructor arguments, as canonical JSON. */
  readonly parameters: string;
  /** Of `input`: as `InputHead.encoding`. */
  readonly encoding: "json" | "value" | "query" | "raw" | "none";
  /** How the answer is wanted: text that the store doesn't read. */
  readonly reply: string;
  readonly input: Uint8Array;
  readonly createdAtMs: number;
  readonly dueAtMs: number;
  /** A head start over others in seconds: order is by `dueAtMs` less this, so that nothing waits for ever. */
  readonly priority: number;
  /** Expires when no attempt has begun by then; null: never. */
  readonly expiresAtMs: number | null;
  readonly concurrencyKey: string | null;
  readonly idempotencyKey: string | null;
  readonly idempotencyMs: number;
  /** How long its record and result are kept after its end. */
  readonly keepMs: number;
  readonly callbackUrl: string | null;
  /** Of a schedule: its tick, which is unique in the queue. */
  readonly tick: string | null;
}

export interface InsertedTask {
  readonly id: string;
  /** False: an earlier task with this idempotency key or tick stands for it. */
  readonly inserted: boolean;
  /** The earlier one had another input. */
  readonly conflict: boolean;
  readonly ready: boolean;
}

/** Where a task stands in its queue. */
export interface QueuePosition {
  /** `dueAtMs` less the head start, in milliseconds. */
  readonly rank: number;
  readonly id: string;
}

export interface WaitingTask extends QueuePosition {
  readonly method: string | null;
  readonly parameters: string;
  readonly encoding: NewTask["encoding"];
  readonly reply: string;
  readonly input: Uint8Array;
  /** Its input is gone or damaged, and why: it can only fail. */
  readonly lostInput?: string;
  readonly createdAtMs: number;
  /** Null also once an attempt has begun: then it expires no more. */
  readonly expiresAtMs: number | null;
  readonly concurrencyKey: string | null;
  readonly callbackUrl: string | null;
  /** Of the last attempt; 0 before the first. */
  readonly attempt: number;
  /** Attempts that count against its retries. */
  readonly failures: number;
}

export interface TaskStart {
  readonly id: string;
  readonly attempt: number;
  readonly version: number;
  readonly containerId: string;
  readonly startedAtMs: number;
}

export interface TaskSettlement extends TaskStart {
  readonly event: "succeed" | "fail" | "time-out" | "retry" | "give-back";
  readonly endedAtMs: number;
  /** Of `succeed`. */
  readonly result: { readonly encoding: string; readonly bytes: Uint8Array } | null;
  /** Of the others. */
  readonly error: SerializedError | null;
  /** Of `retry`: when the next attempt may begin. */
  readonly dueAtMs: number | null;
}

export interface RecoveredTasks {
  /** Those that have tasks, whether they wait or run. */
  readonly queues: readonly string[];
  /** What goes on in kept containers, in the order of insertion. */
  readonly running: readonly LeftTask[];
}

/** A task whose attempt an earlier server began and a container that is kept goes on with: to be settled as any other. */
export interface LeftTask {
  readonly queue: string;
  readonly app: string;
  /** The function as its caller named it. */
  readonly functionName: string;
  /** As `ready` would give it out again, but for inputs in files, which are left out: the number of the attempt that runs is one more than `attempt`. */
  readonly task: WaitingTask;
  readonly version: number;
  readonly containerId: string;
  readonly startedAtMs: number;
}

export interface PromotedQueue {
  readonly queue: string;
  /** The lowest rank among those that became ready. */
  readonly fromRank: number;
}

export interface SettledTask {
  /** False: it came too late, and changed nothing. */
  readonly applied: boolean;
  /** It is ready again at once. */
  readonly isReady: boolean;
  /** The next one of its concurrency key, which waits for nothing but its time now. */
  readonly next?: QueuePosition & { readonly dueAtMs: number };
}

export interface TaskFilter {
  readonly ids?: readonly string[];
  readonly queue?: string;
  /** As its callers named it, in whatever case. */
  readonly functionName?: string;
  readonly app?: string;
  /** Only what is queued, or only calls that are over. */
  readonly durable?: boolean;
  readonly statuses?: readonly TaskStatus[];
  /** Neither includes its own millisecond. */
  readonly createdBeforeMs?: number;
  readonly createdAfterMs?: number;
  /** Only what stands in these queues, or in one of the same name with constructor arguments (`name[…]`). */
  readonly inBases?: readonly string[];
  /** Only what stands in none of them. */
  readonly notInBases?: readonly string[];
  /** Only what has expired by now: its time to live is over, and no attempt had begun. */
  readonly expiredByMs?: number;
}

export interface ChangedTask {
  readonly id: string;
  readonly queue: string;
  readonly functionName: string;
  readonly app: string;
  readonly status: TaskStatus;
  /** Of the attempt that was running; null when none was. */
  readonly attempt: number | null;
}

/** A call that is over. */
export interface CallRecord {
  readonly id: string;
  readonly functionName: string;
  readonly app: string;
  readonly method: string | null;
  readonly version: number;
  /** Null where it never reached one. */
  readonly containerId: string | null;
  readonly status: "COMPLETE" | "ERROR" | "TIMEOUT" | "CANCELLED";
  readonly createdAtMs: number;
  /** Of the last attempt; null where none began. */
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
  readonly attempts: number;
  readonly error: SerializedError | null;
}

export interface TaskRecord extends Omit<NewTask, "input" | "idempotencyMs"> {
  /** False: a call's, from `recordCalls`. */
  readonly durable: boolean;
  readonly status: TaskStatus;
  readonly attempts: readonly TaskAttempt[];
  /** When its first attempt began. */
  readonly startedAtMs: number | null;
  /** When it was over; null while it isn't. */
  readonly endedAtMs: number | null;
  /** Null in lists, and while there is none. */
  readonly result: { readonly encoding: string; readonly bytes: Uint8Array } | null;
  /** Of its last attempt, where that failed: at ERROR, TIMEOUT and RETRY. */
  readonly error: SerializedError | null;
  /** Its result is gone or damaged, and why: `result` is null. */
  readonly lostResult?: string;
  /** Of `get`: null in lists, and where it is so large that it lies in a file. */
  readonly input: Uint8Array | null;
}
