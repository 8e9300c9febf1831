import { SamovarError } from "@samovar/protocol";

/** Bytes that all callers together may have gathered here at a time. */
export class ByteBudget {
  readonly #maxBytes: number;
  #used = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws `too_many_pending` where so many are too many now. */
  take(bytes: number): void {
    if (this.#used + bytes > this.#maxBytes) {
      throw new SamovarError(
        "too_many_pending",
        `The server is taking in ${Math.round(this.#used / 1_048_576)} MiB of inputs to be queued, and keeps at most ${Math.round(this.#maxBytes / 1_048_576)} MiB in memory: try again`,
      );
    }
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
