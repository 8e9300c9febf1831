import type { ItemForm } from "@samovar/protocol";

const NEWLINE = 0x0a;

/**
 * Watches a stream of items on its way out: a failure that the worker could not tell (it was lost) can still be told
 * as a last item, but only between items, never inside one.
 */
export class ItemBoundary {
  readonly #form: ItemForm;
  /** ndjson, sse: the last two bytes. */
  #last = NEWLINE;
  #beforeLast = NEWLINE;
  /** values: bytes that the item under way still has; its length, as far as it is read. */
  #left = 0;
  #lengthBytes = 0;
  #length = 0;

  constructor(form: ItemForm) {
    this.#form = form;
  }

  get isBetweenItems(): boolean {
    switch (this.#form) {
      case "ndjson":
        return this.#last === NEWLINE;
      case "sse":
        return this.#last === NEWLINE && this.#beforeLast === NEWLINE;
      case "values":
        return this.#left === 0 && this.#lengthBytes === 0;
    }
  }

  track(chunk: Buffer): void {
    const size = chunk.length;
    if (size === 0) return;
    if (this.#form === "values") return this.#trackLengths(chunk);
    this.#beforeLast = size > 1 ? chunk[size - 2]! : this.#last;
    this.#last = chunk[size - 1]!;
  }

  #trackLengths(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, chunk.length - at);
        this.#left -= step;
        at += step;
        continue;
      }
      this.#length = this.#length * 256 + chunk[at++]!;
      if (++this.#lengthBytes < 4) continue;
      this.#left = this.#length;
      this.#length = this.#lengthBytes = 0;
    }
  }
}
