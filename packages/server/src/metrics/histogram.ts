import type { HistogramSample, Labels } from "./exposition.ts";

/** Counts by upper bound, in ascending order. Observing is a walk over a few numbers: no allocation, no lookup. */
export class Histogram {
  readonly counts: Float64Array;
  #sum = 0;
  readonly #bounds: readonly number[];

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let i = 0;
    while (i < bounds.length && value > bounds[i]!) i++;
    this.counts[i]!++;
    this.#sum += value;
  }

  /** Takes over what another one counted. */
  add(other: Histogram): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i]! += other.counts[i]!;
    this.#sum += other.#sum;
  }

  sample(labels: Labels): HistogramSample {
    return { labels, counts: this.counts, sum: this.#sum };
  }
}
