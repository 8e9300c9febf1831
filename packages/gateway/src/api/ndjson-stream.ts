import type { ServerResponse } from "node:http";
import { CONTENT_TYPES } from "@samovar/protocol";

/** What may wait for a slow reader before lines that may be lost are. */
const DROP_BYTES = 4 * 1024 * 1024;
/** What may wait before the reader is taken for dead. */
const BREAK_BYTES = 64 * 1024 * 1024;

/**
 * Lines of JSON to a client that may read slowly, or not at all, without growing memory.
 *
 * States: idle → open by the first line or `open` → over by `end` or the client's hang-up. While open, lines that
 * may be dropped are, from `DROP_BYTES` waiting on; how many is told as soon as there is room again. Those that
 * must arrive always wait; if even they reach `BREAK_BYTES`, the connection is cut.
 */
export class NdjsonStream {
  readonly #res: ServerResponse;
  readonly #describeDropped: (count: number) => unknown;
  #dropped = 0;
  #over = false;

  constructor(res: ServerResponse, describeDropped: (count: number) => unknown) {
    this.#res = res;
    this.#describeDropped = describeDropped;
    res.on("drain", () => this.#tellDropped());
    // A write to a socket that just ended is an error event; `close` says the same and is what counts.
    res.on("error", () => {});
    res.once("close", () => (this.#over = true));
    // A client whose machine vanished sends no end: the kernel finds out.
    res.socket?.setKeepAlive(true, 15_000);
  }

  open(): void {
    if (this.#over || this.#res.headersSent) return;
    this.#res.writeHead(200, { "content-type": CONTENT_TYPES.ndjson, "cache-control": "no-store" });
    this.#res.flushHeaders();
  }

  send(value: unknown, options: { readonly droppable: boolean }): void {
    if (this.#over) return;
    this.open();
    const waiting = this.#res.writableLength;
    if (options.droppable && waiting >= DROP_BYTES) {
      this.#dropped++;
      return;
    }
    if (waiting >= BREAK_BYTES) return void this.#res.destroy();
    this.#tellDropped();
    this.#write(value);
  }

  end(): void {
    if (this.#over) return;
    this.open();
    this.#tellDropped();
    this.#over = true;
    this.#res.end();
  }

  #tellDropped(): void {
    if (this.#dropped === 0 || this.#over) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#write(this.#describeDropped(count));
  }

  #write(value: unknown): void {
    if (!this.#res.destroyed) this.#res.write(`${JSON.stringify(value)}\n`);
  }
}
