import { PassThrough, type Readable } from "node:stream";

/**
 * Carries what a program writes to whoever reads it, and knows when that was all: the other end of a pipe or a
 * terminal may be held open by processes that outlive the program.
 *
 * States: open → finishing (`finish`: the program ended) → ended (the source did, or nothing more lies in it). When
 * the reader goes, the source is closed.
 */
export class OutputPump {
  readonly output = new PassThrough();
  readonly #source: Readable;
  readonly #quiet: () => Promise<void>;
  #paused = false;
  #finishing = false;
  /** Chunks so far. */
  #count = 0;

  /** `quiet` settles when what was written before must have arrived, if it is read at all. */
  constructor(source: Readable, quiet: () => Promise<void>) {
    this.#source = source;
    this.#quiet = quiet;
    source.on("data", (chunk: Buffer) => {
      this.#count++;
      if (this.output.write(chunk)) return;
      this.#paused = true;
      source.pause();
    });
    this.output.on("drain", () => {
      this.#paused = false;
      source.resume();
      if (this.#finishing) void this.#settle();
    });
    // A terminal ends with an error (EIO), and so may a pipe: both are an end.
    source.on("error", () => this.output.end());
    source.on("end", () => this.output.end());
    source.on("close", () => this.output.end());
    this.output.on("close", () => source.destroy());
  }

  /** The program has ended: what it wrote is still given, and nothing is waited for beyond that. */
  finish(): void {
    if (this.#finishing) return;
    this.#finishing = true;
    void this.#settle();
  }

  async #settle(): Promise<void> {
    while (!this.#paused && !this.output.writableEnded && !this.output.destroyed) {
      const before = this.#count;
      await this.#quiet();
      if (before !== this.#count || this.#paused) continue;
      this.#source.destroy();
      this.output.end();
    }
  }
}

/** What lies in a pipe is read within one whole turn of the event loop. */
export async function turnOfTheLoop(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
