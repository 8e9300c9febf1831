/**
 * Changes that many ask for, made by one program at a time: what gathers while one runs goes together into the next.
 * So fifty starts at once cost a few processes, and not fifty that fight for the kernel's one lock.
 *
 * States: idle ↔ running. What is given in while it runs waits for the next run.
 */
export class CommandQueue<Change> {
  /** Makes all changes, and answers for each one: null, or what is wrong. Never rejects. */
  readonly #apply: (changes: readonly Change[]) => Promise<readonly (Error | null)[]>;
  #waiting: { change: Change; settle: (error: Error | null) => void }[] = [];
  #running = false;

  constructor(apply: (changes: readonly Change[]) => Promise<readonly (Error | null)[]>) {
    this.#apply = apply;
  }

  /** Resolves when the change is made. */
  push(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, settle: (error) => (error ? reject(error) : resolve()) });
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const results = await this.#apply(batch.map((each) => each.change));
      batch.forEach((each, index) => each.settle(results[index] ?? null));
    }
    this.#running = false;
  }
}
