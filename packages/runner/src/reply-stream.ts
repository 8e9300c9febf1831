import { CHUNK_BYTES, FRAME, INLINE_BODY_BYTES, encodeValue, type AnswerHead, type EndMessage, type ErrorMessage } from "@samovar/protocol";
import { SendWindow } from "./flow.ts";
import type { ServerLink } from "./server-link.ts";

/**
 * The worker's side of an answer: one `result`, one `error`, or `head`, `data`*, and `end` or `error`.
 *
 * States: open → muted (cancelled: only the closing `error` still goes out) → closed (answered, or its connection is
 * lost and the stream's number may soon mean something else).
 */
export class ReplyStream {
  readonly #link: ServerLink;
  readonly #stream: number;
  #state: "open" | "muted" | "closed" = "open";
  #window: SendWindow | null = null;
  #unyielded = 0;
  /** Told once when nobody wants the answer any more, so that what feeds it can stop. */
  onUnwanted: (() => void) | null = null;

  constructor(link: ServerLink, stream: number) {
    this.#link = link;
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** The whole answer. What is too large for one frame follows under flow control: await what is returned, if it is a promise. */
  result(head: Uint8Array, body: Uint8Array | string | null): Promise<void> | void {
    const bytes = typeof body === "string" && body.length > INLINE_BODY_BYTES / 3 ? Buffer.from(body) : body;
    if (bytes !== null && typeof bytes !== "string" && bytes.length > INLINE_BODY_BYTES) return this.#large(head, bytes);
    if (this.#state !== "closed") this.#link.sendHeadBody(FRAME.result, this.#stream, head, bytes);
    this.#state = "closed";
  }

  head(head: AnswerHead): void {
    if (this.#state === "open") this.#link.sendHeadBody(FRAME.head, this.#stream, encodeValue(head), null);
  }

  /** Sends as the window allows. False when nobody wants it any more. */
  async data(bytes: Uint8Array): Promise<boolean> {
    this.#window ??= new SendWindow();
    for (let at = 0; at < bytes.length;) {
      if (this.#window.room <= 0) await this.#window.wait();
      if (this.#state !== "open") return false;
      const size = Math.min(bytes.length - at, CHUNK_BYTES, this.#window.room);
      this.#link.send(FRAME.data, this.#stream, bytes.subarray(at, at + size));
      this.#window.take(size);
      at += size;
      this.#unyielded += size;
    }
    // A generator that never waits would else keep every other input, and the cancel of its own, from being heard.
    if (this.#unyielded >= CHUNK_BYTES) {
      this.#unyielded = 0;
      await new Promise(setImmediate);
    }
    return this.#state === "open";
  }

  /** Resolves when something may be sent, or the stream is over. */
  room(): Promise<void> | void {
    if (this.#window && this.#window.room <= 0) return this.#window.wait();
  }

  end(message: EndMessage | null = null): void {
    // Muted: the closing `error` is still to come.
    if (this.#state !== "open") return;
    this.#link.send(FRAME.end, this.#stream, message && encodeValue(message));
    this.#state = "closed";
  }

  error(message: ErrorMessage): void {
    if (this.#state !== "closed") this.#link.send(FRAME.error, this.#stream, encodeValue(message));
    this.#state = "closed";
  }

  grant(bytes: number): void {
    (this.#window ??= new SendWindow()).grant(bytes);
  }

  mute(): void {
    if (this.#state !== "open") return;
    this.#state = "muted";
    this.#window?.close();
    this.onUnwanted?.();
  }

  close(): void {
    const wanted = this.#state === "open";
    this.#state = "closed";
    this.#window?.close();
    if (wanted) this.onUnwanted?.();
  }

  async #large(head: Uint8Array, bytes: Uint8Array): Promise<void> {
    if (this.#state === "open") this.#link.sendHeadBody(FRAME.head, this.#stream, head, null);
    if (await this.data(bytes)) this.end();
  }
}
