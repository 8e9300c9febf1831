import type { Logger } from "@samovar/kit";
import type { StartRow } from "./task-operations.ts";
import type { StorageThread } from "./storage-thread.ts";
import type { TaskStart } from "./task-store.ts";

/** For so long a start waits for its task's end, and at most twice so long: most tasks are over before, and need one change in place of two. */
const HELD_MS = 20;

interface Held {
  readonly row: StartRow;
  /** It was here when the timer fired last: at the next time it goes. */
  hasWaited: boolean;
  /** On its way to disk. */
  isSent: boolean;
}

/**
 * Starts that are not on disk yet. One goes with the settlement of its attempt, before any question that could see
 * it, or by itself after a moment. What could not be written waits here for the next of these.
 *
 * held ── its settlement ──▶ taken ── that could not be written ──▶ held
 *   └── send() ──▶ sent ── written ──▶ gone
 *                    └── could not be written ──▶ held
 */
export class TaskStarts {
  readonly #thread: StorageThread;
  readonly #logger: Logger;
  readonly #held = new Map<string, Held>();
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;

  constructor(thread: StorageThread, logger: Logger) {
    this.#thread = thread;
    this.#logger = logger;
  }

  /** Why some are not on disk; undefined when all are, or are with the settlements of their attempts. */
  get failure(): Error | undefined {
    return this.#held.size === 0 ? undefined : this.#failure;
  }

  add(start: TaskStart): void {
    this.#hold(toStartRow(start));
  }

  /**
   * Whether this attempt's start is not on disk, so that its settlement has to bring it. One that is on its way is
   * brought too, because it may not arrive; to write it twice changes nothing.
   */
  take(start: TaskStart): boolean {
    const held = this.#held.get(keyOf(start.id, start.attempt));
    if (!held) return false;
    if (!held.isSent) this.#held.delete(keyOf(start.id, start.attempt));
    return true;
  }

  /** The settlement that brought it could not be written. */
  giveBack(start: TaskStart): void {
    if (!this.#held.has(keyOf(start.id, start.attempt))) this.#hold(toStartRow(start));
  }

  /** Sends what is held, so that whatever is asked next sees it. */
  send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#write([...this.#held.values()].filter((held) => !held.isSent));
  }

  /** Those that came since the last time stay: to send them too would leave their ends nothing to bring. */
  #sendWaited(): void {
    this.#timer = undefined;
    const waiting = [...this.#held.values()].filter((held) => !held.isSent);
    this.#write(waiting.filter((held) => held.hasWaited));
    const others = waiting.filter((held) => !held.hasWaited);
    for (const held of others) held.hasWaited = true;
    if (others.length > 0) this.#startTimer();
  }

  #write(sent: readonly Held[]): void {
    if (sent.length === 0) return;
    for (const held of sent) held.isSent = true;
    this.#thread.call<"tasks.started">({ kind: "tasks.started", starts: sent.map(({ row }) => row) }).then(
      () => {
        if (this.#failure) this.#logger.info({}, "The starts of tasks are written again");
        this.#failure = undefined;
        for (const { row } of sent) this.#held.delete(keyOf(row[0], row[1]));
      },
      (error: Error) => {
        if (!this.#failure) this.#logger.error({ err: error }, "The starts of tasks could not be written, they are kept in memory and tried again");
        this.#failure = error;
        for (const held of sent) held.isSent = false;
      },
    );
  }

  #hold(row: StartRow): void {
    this.#held.set(keyOf(row[0], row[1]), { row, hasWaited: false, isSent: false });
    this.#startTimer();
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => this.#sendWaited(), HELD_MS).unref();
  }
}

const keyOf = (id: string, attempt: number): string => `${id} ${attempt}`;

export function toStartRow({ id, attempt, version, containerId, startedAtMs }: TaskStart): StartRow {
  return [id, attempt, version, containerId, startedAtMs];
}
