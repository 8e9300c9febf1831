import type { Clock, Logger } from "@samovar/kit";
import type { QueuePosition, TaskStore } from "@samovar/storage";
import { comparePositions, type TaskWindow } from "./task-window.ts";

/** Below it more are read, and how many at a time: a read waits behind the ends of tasks, and what is here has to last for that long. Together no more than a window holds. */
const LOW = 512;
const READ = 512;
/** What the store could not do is asked again, with growing pauses. */
export const STORE_AGAIN_MS = { first: 250, most: 30_000 };

export interface TaskReaderOptions {
  /** The store's name of the queue. */
  readonly key: string;
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whose window it fills. */
export interface TaskReaderOwner {
  isRunning(id: string): boolean;
  /** A read is over: there may be more in the window, or nothing comes any more. */
  readEnded(): void;
}

/**
 * Reads a queue's ready tasks into its window.
 *
 * States: idle → reading, when the window is low → idle, with what was found; or, where the read failed, after a pause.
 * The store answers in the order in which it was asked, so what a read finds is no older than what the queue knew when
 * it asked. What becomes ready after that is told by `knowOnlyTo` or `found`, which bound what the read may vouch for.
 */
export class TaskReader {
  readonly #options: TaskReaderOptions;
  readonly #window: TaskWindow;
  readonly #owner: TaskReaderOwner;
  #reading = false;
  #againMs = STORE_AGAIN_MS.first;
  /** The lowest position that it was told of since the read began; null: anywhere. */
  #lowered: { readonly to: QueuePosition | null } | null = null;

  constructor(options: TaskReaderOptions, window: TaskWindow, owner: TaskReaderOwner) {
    this.#options = options;
    this.#window = window;
    this.#owner = owner;
  }

  /** Also in the pause after a read that failed: what the store has is not known yet. */
  get isReading(): boolean {
    return this.#reading;
  }

  /** Something may be ready in the store after this position (null: anywhere). */
  knowOnlyTo(position: QueuePosition | null): void {
    this.#window.knowOnlyTo(position);
    if (!this.#reading) return;
    const isLower = !this.#lowered || (this.#lowered.to !== null && (position === null || comparePositions(position, this.#lowered.to) < 0));
    if (isLower) this.#lowered = { to: position };
  }

  /** One is ready there: a read that is under way may have been asked before it was. */
  found(position: QueuePosition): void {
    this.knowOnlyTo(toBefore(position));
  }

  /** Reads on where the window is low and the store knows more. */
  refill(): void {
    const { key, store, clock, logger } = this.#options;
    const after = this.#window.knownTo;
    if (after === null || this.#reading || !this.#window.isLow(LOW)) return;
    this.#reading = true;
    this.#lowered = null;
    store.ready(key, after, READ).then(
      (tasks) => {
        this.#reading = false;
        this.#againMs = STORE_AGAIN_MS.first;
        this.#window.fill(tasks, (id) => this.#owner.isRunning(id));
        if (this.#lowered) this.#window.knowOnlyTo(this.#lowered.to);
        this.#owner.readEnded();
      },
      (error: unknown) => {
        logger.error({ queue: key, error: String(error) }, "Tasks could not be read: tried again");
        clock.after(this.#againMs, () => {
          this.#reading = false;
          this.#owner.readEnded();
        });
        this.#againMs = Math.min(this.#againMs * 2, STORE_AGAIN_MS.most);
      },
    );
  }

  /** Reads the one that has become ready at this position, where it belongs into the window: the next of a concurrency key. Never rejects. */
  async fetch(position: QueuePosition): Promise<void> {
    const before = toBefore(position);
    const [task] = await this.#options.store.ready(this.#options.key, before, 1).catch(() => []);
    if (task?.id !== position.id) this.knowOnlyTo(before);
    else if (!this.#owner.isRunning(task.id)) this.#window.add(task);
    this.#owner.readEnded();
  }
}

const toBefore = ({ rank, id }: QueuePosition): QueuePosition => ({ rank, id: id.slice(0, -1) });
