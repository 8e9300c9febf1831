import type { Clock, Logger } from "@samovar/kit";
import type { TaskStore } from "@samovar/storage";

const EVERY_MS = 10 * 60_000;
/** So many at a time: calls of others come in between. */
const PIECE = 500;

/**
 * Removes tasks that ended longer ago than they are kept: at the start, and every ten minutes. A pass that fails is made
 * up for by the next.
 *
 * States: pruning ⇄ waiting (a timer is set) → disposed.
 */
export class TaskRetention {
  readonly #store: Pick<TaskStore, "prune">;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pruning: Promise<void>;
  #cancelTimer: () => void = () => {};
  #disposed = false;

  constructor(store: Pick<TaskStore, "prune">, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
    this.#pruning = this.#prune();
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#cancelTimer();
    await this.#pruning;
  }

  async #prune(): Promise<void> {
    try {
      while (!this.#disposed && (await this.#store.prune(this.#clock.now(), PIECE)));
    } catch (error) {
      this.#logger.warn({ error: String(error) }, "Tasks that are no longer kept could not be removed");
    }
    if (this.#disposed) return;
    this.#cancelTimer = this.#clock.after(EVERY_MS, () => {
      this.#pruning = this.#prune();
    });
  }
}
