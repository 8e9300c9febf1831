import type { ServerResponse } from "node:http";
import { CONTENT_TYPES, encodeServerEvent } from "@samovar/protocol";

/** What may wait for a slow reader before lines that may be lost are. */
const DROP_BYTES = 4 * 1024 * 1024;
/** What may wait before the reader is taken for dead. */
const BREAK_BYTES = 64 * 1024 * 1024;

/** How records are written. */
export interface StreamFormat {
  readonly contentType: string;
  encode(record: unknown): string;
}

export const NDJSON: StreamFormat = Object.freeze({ contentType: CONTENT_TYPES.ndjson, encode: (record: unknown) => `${JSON.stringify(record)}\n` });

/** Server-sent events, all of one name. */
export const sse = (event: string): StreamFormat => ({
  contentType: CONTENT_TYPES.sse,
  encode: (record) => encodeServerEvent(event, record),
});

export interface PushStreamOptions {
  readonly format?: StreamFormat;
  /** The record that says how many were dropped; without it none may be. */
  readonly describeDropped?: (count: number) => unknown;
  /** Default: 64 MiB. */
  readonly breakBytes?: number;
}

/**
 * Records to a client that may read slowly, or not at all, without growing memory.
 *
 * States: idle → open by the first record or `open` → over by `end` or the client's hang-up. While open, records that
 * may be dropped are, from `DROP_BYTES` waiting on; how many is told as soon as there is room again. Those that
 * must arrive always wait; if even they reach `breakBytes`, the connection is cut.
 */
export class PushStream {
  readonly #res: ServerResponse;
  readonly #format: StreamFormat;
  readonly #describeDropped: ((count: number) => unknown) | undefined;
  readonly #breakBytes: number;
  #dropped = 0;
  #over = false;

  constructor(res: ServerResponse, { format = NDJSON, describeDropped, breakBytes = BREAK_BYTES }: PushStreamOptions) {
    this.#res = res;
    this.#format = format;
    this.#describeDropped = describeDropped;
    this.#breakBytes = breakBytes;
    res.on("drain", () => this.#tellDropped());
    // A write to a socket that just ended is an error event; `close` says the same and is what counts.
    res.on("error", () => {});
    res.once("close", () => (this.#over = true));
    // A client whose machine vanished sends no end: the kernel finds out.
    res.socket?.setKeepAlive(true, 15_000);
  }

  open(): void {
    if (this.#over || this.#res.headersSent) return;
    this.#res.writeHead(200, { "content-type": this.#format.contentType, "cache-control": "no-store" });
    this.#res.flushHeaders();
  }

  send(record: unknown, options: { readonly droppable: boolean }): void {
    if (this.#over) return;
    this.open();
    const waiting = this.#res.writableLength;
    if (options.droppable && waiting >= DROP_BYTES) {
      this.#dropped++;
      return;
    }
    if (waiting >= this.#breakBytes) return void this.#res.destroy();
    this.#tellDropped();
    this.#write(this.#format.encode(record));
  }

  /** Text of the format's own that is no record, such as a comment, or an event of another name. */
  note(text: string): void {
    if (!this.#over) this.#write(text);
  }

  end(): void {
    if (this.#over) return;
    this.open();
    this.#tellDropped();
    this.#over = true;
    this.#res.end();
  }

  #tellDropped(): void {
    if (this.#dropped === 0 || this.#over || !this.#describeDropped) return;
    const count = this.#dropped;
    this.#dropped = 0;
    this.#write(this.#format.encode(this.#describeDropped(count)));
  }

  #write(text: string): void {
    if (!this.#res.destroyed) this.#res.write(text);
  }
}
