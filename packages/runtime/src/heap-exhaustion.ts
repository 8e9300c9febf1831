const MARK = Buffer.from("JavaScript heap out of memory");

/**
 * Watches standard error for the line that V8 writes before it aborts at its heap limit. The kernel knows nothing
 * of that limit: to it such an end is a plain SIGABRT.
 */
export class HeapExhaustion {
  /** How often the line came. */
  count = 0;
  /** The end of the last chunk, since the line may be cut anywhere. */
  #carry: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    const text = this.#carry.length > 0 ? Buffer.concat([this.#carry, chunk]) : chunk;
    let after = 0;
    for (let at = text.indexOf(MARK); at >= 0; at = text.indexOf(MARK, after)) {
      this.count++;
      after = at + MARK.length;
    }
    this.#carry = Buffer.from(text.subarray(Math.max(after, text.length - MARK.length + 1)));
  }
}
