import { encodeValue, type InputHead, type SerializedError } from "@samovar/protocol";

const NEWLINE = 0x0a;
const TAG_ERROR = 1;

/**
 * Watches a stream of items on its way out, so that a failure the worker could not tell (it was lost) can still
 * be told in the stream's own form: but only between items, never inside one.
 */
export class ItemStream {
  readonly #form: InputHead["stream"];
  /** ndjson, sse: the last two bytes. */
  #last = NEWLINE;
  #beforeLast = NEWLINE;
  /** values: bytes that the item under way still has; its length, as far as it is read. */
  #left = 0;
  #lengthBytes = 0;
  #length = 0;

  constructor(form: InputHead["stream"]) {
    this.#form = form;
  }

  track(chunk: Buffer): void {
    if (this.#form === "values") return this.#trackValues(chunk);
    const size = chunk.length;
    if (size === 0) return;
    this.#beforeLast = size > 1 ? chunk[size - 2]! : this.#last;
    this.#last = chunk[size - 1]!;
  }

  /** The last item, telling the error; null inside an item, where only breaking off is left. */
  toFailure(error: SerializedError): Buffer | null {
    switch (this.#form) {
      case "ndjson":
        return this.#last === NEWLINE ? Buffer.from(`${JSON.stringify({ error })}\n`) : null;
      case "sse":
        return this.#last === NEWLINE && this.#beforeLast === NEWLINE ? Buffer.from(`event: error\ndata: ${JSON.stringify(error)}\n\n`) : null;
      case "values": {
        if (this.#left > 0 || this.#lengthBytes > 0) return null;
        const value = encodeValue(error);
        const item = Buffer.allocUnsafe(5);
        item.writeUInt32BE(1 + value.length, 0);
        item[4] = TAG_ERROR;
        return Buffer.concat([item, value]);
      }
    }
  }

  #trackValues(chunk: Buffer): void {
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
