import type { Logger } from "@samovar/kit";
import type { StorageThread } from "./storage-thread.ts";
import type { CallRow } from "./task-operations.ts";
import type { CallRecord } from "./task-store.ts";

/** A batch is gathered for so long, or until it has so many. */
const GATHERED_MS = 100;
const BATCH = 1_000;

/** So many wait to be written, and no more: the oldest are dropped for the newest. */
const MAX_UNWRITTEN = 10_000;

const WARNED_EVERY_MS = 60_000;

/**
 * Calls that are over and not on disk yet. They cost the caller a place in a list; what is written of them is made when a
 * batch goes. One batch is under way at a time, so that a thread that is behind isn't given more; a question sends all.
 *
 * gathering ── 100 ms, or 1,000 of them ──▶ under way ── written ──▶ gathering
 *     ▲                                         └── could not be written: kept, for the next that is recorded or asked
 *     └── more than 10,000 ──▶ the oldest are dropped, and counted
 */
export class CallRecords {
  readonly #thread: StorageThread;
  readonly #logger: Logger;
  readonly #now: () => number;
  #gathered: CallRecord[] = [];
  #underWay = 0;
  #sent = 0;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #dropped = 0;
  #warnedAtMs = -Infinity;

  constructor(thread: StorageThread, logger: Logger, now: () => number) {
    this.#thread = thread;
    this.#logger = logger;
    this.#now = now;
  }

  /** Why the last batch is not on disk; undefined when it is. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Some wait that no batch has yet. */
  get isGathering(): boolean {
    return this.#gathered.length > 0;
  }

  add(calls: readonly CallRecord[]): void {
    for (const call of calls) this.#gathered.push(call);
    if (this.#sent + this.#gathered.length > MAX_UNWRITTEN) this.#drop();
    if (this.#underWay > 0) return;
    if (this.#gathered.length >= BATCH && !this.#failure) this.send();
    else this.#timer ??= setTimeout(() => this.send(), GATHERED_MS).unref();
  }

  /** Sends what waits, so that whatever is asked next sees it. */
  send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    const calls = this.#gathered;
    this.#gathered = [];
    this.#underWay += 1;
    this.#sent += calls.length;
    this.#thread.call<"tasks.recordCalls">({ kind: "tasks.recordCalls", rows: calls.map(toRow) }).then(
      () => this.#settle(calls, undefined),
      (error: Error) => this.#settle(calls, error),
    );
  }

  #settle(calls: readonly CallRecord[], failure: Error | undefined): void {
    this.#underWay -= 1;
    this.#sent -= calls.length;
    if (failure && !this.#failure) this.#logger.error({ err: failure }, "The records of calls could not be written, they are kept in memory and tried again");
    if (!failure && this.#failure) this.#logger.info({}, "The records of calls are written again");
    this.#failure = failure;
    if (failure) {
      this.#gathered = [...calls, ...this.#gathered];
      this.#drop();
    } else if (this.#gathered.length >= BATCH) this.send();
    else if (this.#gathered.length > 0) this.#timer ??= setTimeout(() => this.send(), GATHERED_MS).unref();
  }

  #drop(): void {
    // Some at once, so that a full list doesn't move for each that comes.
    const excess = this.#sent + this.#gathered.length - MAX_UNWRITTEN;
    if (excess <= 0) return;
    const dropped = Math.min(this.#gathered.length, Math.max(excess, BATCH));
    this.#gathered.splice(0, dropped);
    this.#dropped += dropped;
    const nowMs = this.#now();
    if (nowMs - this.#warnedAtMs < WARNED_EVERY_MS) return;
    this.#warnedAtMs = nowMs;
    this.#logger.warn({ dropped: this.#dropped }, "Records of calls come faster than they can be written, the oldest were dropped");
    this.#dropped = 0;
  }
}

function toRow(call: CallRecord): CallRow {
  return [
    call.id,
    call.functionName,
    call.app,
    call.method,
    call.version,
    call.containerId,
    call.status,
    call.createdAtMs,
    call.startedAtMs,
    call.endedAtMs,
    call.attempts,
    call.error === null ? null : JSON.stringify(call.error),
  ];
}
