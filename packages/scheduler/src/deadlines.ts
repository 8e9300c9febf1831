import type { Clock } from "@samovar/kit";

export interface Deadline {
  dueAtMs: number;
  readonly onDue: () => void;
}

/**
 * Many deadlines, one timer. Setting and clearing one is a Set operation, because on the warm path every input has a
 * deadline that never comes; the timer is armed for the earliest known and, when it fires, looks for what is due.
 */
export class Deadlines {
  readonly #clock: Clock;
  readonly #set = new Set<Deadline>();
  #armedForMs = Infinity;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(dueAtMs: number, onDue: () => void): Deadline {
    const deadline: Deadline = { dueAtMs, onDue };
    this.#set.add(deadline);
    if (dueAtMs < this.#armedForMs) this.#arm(dueAtMs);
    return deadline;
  }

  /** Moves a deadline on. An earlier time than before is honoured too. */
  move(deadline: Deadline, dueAtMs: number): void {
    deadline.dueAtMs = dueAtMs;
    if (dueAtMs < this.#armedForMs && this.#set.has(deadline)) this.#arm(dueAtMs);
  }

  delete(deadline: Deadline | null): void {
    if (deadline) this.#set.delete(deadline);
  }

  dispose(): void {
    this.#set.clear();
    this.#cancel();
    this.#armedForMs = Infinity;
  }

  #arm(atMs: number): void {
    this.#cancel();
    this.#armedForMs = atMs;
    this.#cancel = this.#clock.after(atMs - this.#clock.monotonic(), this.#fire);
  }

  readonly #fire = (): void => {
    this.#armedForMs = Infinity;
    const nowMs = this.#clock.monotonic();
    // What falls due is taken out first: a callback may add and delete others. Timers may fire a fraction of a millisecond early,
    // and who asks the clock then finds that its time has not come: never before it, but once more.
    const due = [...this.#set].filter((deadline) => deadline.dueAtMs <= nowMs);
    for (const deadline of due) this.#set.delete(deadline);
    for (const deadline of due) deadline.onDue();
    let earliestMs = Infinity;
    for (const deadline of this.#set) earliestMs = Math.min(earliestMs, deadline.dueAtMs);
    if (earliestMs < this.#armedForMs) this.#arm(earliestMs);
  };
}
