import type { Clock } from "@samovar/kit";
import type { Container } from "./container.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** Runners hear of their next server's socket, and are back within moments. */
const LONGEST_MS = 2_000;

/**
 * While containers come back, tasks are not given out: one of them may have a task whose start its server could not write
 * any more, so that it waits as far as its record says. On, from `begin` until none is on its way, or for two seconds.
 */
export class TaskHold {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #ended: () => void;
  #deadline: Deadline | null = null;

  constructor(clock: Clock, deadlines: Deadlines, ended: () => void) {
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#ended = ended;
  }

  get isOn(): boolean {
    return this.#deadline !== null;
  }

  begin(): void {
    this.#deadline ??= this.#deadlines.add(this.#clock.monotonic() + LONGEST_MS, () => this.#end());
  }

  /** One of these may have come back, or be given up. */
  check(containers: Iterable<Container>): void {
    if (this.isOn && ![...containers].some(({ comeback }) => comeback?.isOver === false)) this.#end();
  }

  dispose(): void {
    this.#deadlines.delete(this.#deadline);
    this.#deadline = null;
  }

  #end(): void {
    this.dispose();
    this.#ended();
  }
}
