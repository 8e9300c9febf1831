/** What is just happening: the answer to a put arrived, a handler began, or said that it ended and has yet to be heard. */
export type Moment = "acknowledged" | "began" | "ended";

/** Tells whoever waits for a moment, in the very turn in which it is seen. */
export class Moments {
  readonly #waiting = new Map<Moment, Set<() => void>>();

  tell(moment: Moment): void {
    const waiting = this.#waiting.get(moment);
    this.#waiting.delete(moment);
    for (const run of waiting ?? []) run();
  }

  /** Runs it at the next such moment, or when none came for so long. Resolves when it has run. */
  at(moment: Moment, withinMs: number, run: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    let isOver = false;
    const once = (): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      run();
      resolve();
    };
    const timer = setTimeout(once, withinMs);
    this.#waiting.set(moment, (this.#waiting.get(moment) ?? new Set()).add(once));
    return promise;
  }
}
