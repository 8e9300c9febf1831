import { FRAME, INITIAL_WINDOW_BYTES, SamovarError, encodeValue } from "@samovar/protocol";
import type { ServerLink } from "./server-link.ts";

/** How much of a stream may still be sent. Waiting ends when the other side grants more, or when the stream is over. */
export class SendWindow {
  #room = INITIAL_WINDOW_BYTES;
  #wake: (() => void) | null = null;
  #closed = false;

  get room(): number {
    return this.#room;
  }

  take(bytes: number): void {
    this.#room -= bytes;
  }

  grant(bytes: number): void {
    if (!Number.isSafeInteger(bytes) || bytes < 0) throw new SamovarError("protocol_error", `A window of ${bytes} bytes was granted`);
    this.#room += bytes;
    this.#release();
  }

  close(): void {
    this.#closed = true;
    this.#release();
  }

  /** Resolves when something may be sent, or the stream is over: the caller looks which. One caller at a time. */
  wait(): Promise<void> {
    if (this.#room > 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => (this.#wake = resolve));
  }

  #release(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/**
 * The bytes that arrive on a stream, for one reader. Room is granted again as they are read, half a window at a
 * time, so that a reader who does not read stops the sender and nobody else.
 */
export class ReceiveQueue implements AsyncIterable<Buffer> {
  readonly #link: ServerLink;
  readonly #stream: number;
  #chunks: Buffer[] = [];
  #ungranted = 0;
  #ended = false;
  #error: Error | null = null;
  #wake: (() => void) | null = null;

  constructor(link: ServerLink, stream: number) {
    this.#link = link;
    this.#stream = stream;
  }

  /** Nothing more comes: it is whole, broke off, or nobody wants the rest. */
  get isEnded(): boolean {
    return this.#ended;
  }

  push(chunk: Buffer): void {
    if (this.#ended) return;
    this.#chunks.push(chunk);
    this.#release();
  }

  end(): void {
    this.#ended = true;
    this.#release();
  }

  /** The bytes broke off; those that came are dropped. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#error = error instanceof Error ? error : new Error(String(error));
    this.#ended = true;
    this.#chunks = [];
    this.#release();
  }

  /** The next bytes; null at the end. Rejects with what the bytes broke off with. */
  async read(): Promise<Buffer | null> {
    while (this.#chunks.length === 0 && !this.#ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#error !== null) throw this.#error;
    const chunk = this.#chunks.shift();
    if (!chunk) return null;
    this.#grant(chunk.length);
    return chunk;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Buffer> {
    for (let chunk = await this.read(); chunk; chunk = await this.read()) yield chunk;
  }

  async readAll(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this) chunks.push(chunk);
    return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  }

  #grant(bytes: number): void {
    this.#ungranted += bytes;
    if (this.#ended || this.#ungranted < INITIAL_WINDOW_BYTES / 2) return;
    this.#link.send(FRAME.window, this.#stream, encodeValue({ bytes: this.#ungranted }));
    this.#ungranted = 0;
  }

  #release(): void {
    this.#wake?.();
    this.#wake = null;
  }
}
