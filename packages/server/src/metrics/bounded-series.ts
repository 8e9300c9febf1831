/** What is counted for one function, and can be counted on for another. */
export interface Series<T> {
  add(other: T): void;
}

/**
 * Series by key, at most so many of them: the one that was used longest ago gives its counts to the series `other` and
 * leaves, so that a server through which thousands of versions go has as many lines to tell as one with a few, and the
 * sum over all of them never falls.
 */
export class BoundedSeries<L, T extends Series<T>> {
  readonly #max: number;
  readonly #create: () => T;
  readonly #byKey = new Map<string, { readonly labels: L; readonly series: T }>();
  readonly #otherLabels: L;
  #other: T | null = null;
  #lastKey: string | null = null;
  #last: T | null = null;

  constructor(max: number, otherLabels: L, create: () => T) {
    this.#max = max;
    this.#otherLabels = otherLabels;
    this.#create = create;
  }

  /** The series of a key, made at its first use with the labels that `label` gives. */
  get(key: string, label: () => L): T {
    if (key === this.#lastKey) return this.#last!;
    let found = this.#byKey.get(key);
    if (found) {
      // Behind all others: the first of the map is the one that was used longest ago.
      this.#byKey.delete(key);
    } else {
      if (this.#byKey.size >= this.#max) this.#fold();
      found = { labels: label(), series: this.#create() };
    }
    this.#byKey.set(key, found);
    this.#lastKey = key;
    this.#last = found.series;
    return found.series;
  }

  *entries(): Iterable<readonly [L, T]> {
    for (const { labels, series } of this.#byKey.values()) yield [labels, series];
    if (this.#other) yield [this.#otherLabels, this.#other];
  }

  #fold(): void {
    const [key, oldest] = this.#byKey.entries().next().value!;
    this.#byKey.delete(key);
    (this.#other ??= this.#create()).add(oldest.series);
  }
}
