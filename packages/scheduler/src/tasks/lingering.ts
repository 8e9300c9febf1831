import type { Clock } from "@samovar/kit";
import type { WaitingTask } from "@samovar/storage";
import type { RunningTask } from "./running-task.ts";

/** A handler that goes on for so long after its signal has fired can't hold up others any more. */
const LINGER_MS = 60_000;

/**
 * Attempts that are over for their tasks (timeout, cancellation, drain) while their handlers may still run: until a
 * handler has settled or its worker is gone, no other attempt of its task begins, and no task of its concurrency key.
 */
export class Lingering {
  readonly #byLine = new Map<string, RunningTask>();
  readonly #clock: Clock;
  readonly #lookAgain: () => void;

  /** `lookAgain`: something that was held back may begin. */
  constructor(clock: Clock, lookAgain: () => void) {
    this.#clock = clock;
    this.#lookAgain = lookAgain;
  }

  get isEmpty(): boolean {
    return this.#byLine.size === 0;
  }

  holdsBack(task: WaitingTask): boolean {
    return this.#byLine.size > 0 && this.#byLine.has(toLine(task));
  }

  /** Its task has no more use for it. */
  add(running: RunningTask): void {
    // Cancelled while its settlement is on its way: it is here already.
    if (running.isReleased || this.#byLine.get(toLine(running.task)) === running) return;
    this.#byLine.set(toLine(running.task), running);
    const cancelTimer = this.#clock.after(LINGER_MS, () => this.#letGo(running));
    running.whenReleased(() => {
      cancelTimer();
      this.#letGo(running);
    });
  }

  #letGo(running: RunningTask): void {
    const line = toLine(running.task);
    if (this.#byLine.get(line) !== running) return;
    this.#byLine.delete(line);
    this.#lookAgain();
  }
}

const toLine = ({ id, concurrencyKey }: WaitingTask): string => (concurrencyKey === null ? `task ${id}` : `key ${concurrencyKey}`);
