/** Work that is done one after another under each key, in the order in which it was asked for. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  isBusy(key: string): boolean {
    return this.#last.has(key);
  }

  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const result = before.then(work).finally(() => {
      if (this.#last.get(key) === settled) this.#last.delete(key);
    });
    const settled: Promise<unknown> = result.then(
      () => {},
      () => {},
    );
    this.#last.set(key, settled);
    return result;
  }

  /** Resolves when all that was asked for until now is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
