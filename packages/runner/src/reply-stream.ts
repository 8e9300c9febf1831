import {
  CHUNK_BYTES,
  FRAME,
  INLINE_BODY_BYTES,
  SamovarError,
  encodeValue,
  toSerializedError,
  type AnswerHead,
  type EndMessage,
  type ErrorMessage,
} from "@samovar/protocol";
import { SendWindow } from "./flow.ts";
import type { ServerLink } from "./server-link.ts";

/**
 * The worker's side of an answer: one `result`, one `error`, or `head`, `data`*, and `end` or `error`.
 *
 * | state | what goes out | left by |
 * |---|---|---|
 * | open | everything | `mute`, `park`, `cut`; answered → closed |
 * | parked: its connection was lost before anything was sent | nothing: who answers waits | `attach` → open; `mute`, `cut` → cut |
 * | muted: cancelled | the closing `error` or `result` | that → closed; `cut` |
 * | cut: its connection was lost, and it can't go on on another | a closing `error`, where `attach` gave a stream for it | that → closed |
 * | closed | nothing, but that `error` where `attach` comes after it | |
 */
export class ReplyStream {
  readonly #link: ServerLink;
  /** Null when it ended with its connection. Its number may soon mean something else. */
  #stream: number | null;
  #state: "open" | "parked" | "muted" | "cut" | "closed" = "open";
  #begun = false;
  #window: SendWindow | null = null;
  #unyielded = 0;
  /** Of who waits with an answer while parked; one at a time. */
  #wake: (() => void) | null = null;
  /** Told once when nobody wants the answer any more, so that what feeds it can stop. */
  onUnwanted: (() => void) | null = null;

  constructor(link: ServerLink, stream: number) {
    this.#link = link;
    this.#stream = stream;
  }

  get stream(): number | null {
    return this.#stream;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get isParked(): boolean {
    return this.#state === "parked";
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Nothing was sent, nobody gave it up: it could be made on another stream as well. */
  get isUntouched(): boolean {
    return this.#state === "open" && !this.#begun;
  }

  /** An answer stands ready and waits for a stream. */
  get isKept(): boolean {
    return this.#wake !== null;
  }

  /** The whole answer. What is too large for one frame, or has to wait for a stream, follows: await what is returned, if it is a promise. */
  result(head: Uint8Array, body: Uint8Array | string | null): Promise<void> | void {
    if (this.#state === "parked") return this.#keep(head, body);
    const bytes = typeof body === "string" && body.length > INLINE_BODY_BYTES / 3 ? Buffer.from(body) : body;
    if (bytes !== null && typeof bytes !== "string" && bytes.length > INLINE_BODY_BYTES) return this.#large(head, bytes);
    if (this.#state !== "open" && this.#state !== "muted") return;
    this.#link.sendHeadBody(FRAME.result, this.#stream!, head, bytes);
    this.#state = "closed";
  }

  /** The answer begins. Who may be parked awaits `room` before. */
  head(head: AnswerHead): void {
    this.#begin(encodeValue(head));
  }

  /** Sends as the window allows. False when nobody wants it any more. */
  async data(bytes: Uint8Array): Promise<boolean> {
    this.#window ??= new SendWindow();
    for (let at = 0; at < bytes.length;) {
      if (this.#window.room <= 0) await this.#window.wait();
      if (this.#state !== "open") return false;
      const size = Math.min(bytes.length - at, CHUNK_BYTES, this.#window.room);
      this.#link.send(FRAME.data, this.#stream!, bytes.subarray(at, at + size));
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

  /** Resolves when something may be sent, or nobody wants it any more. */
  room(): Promise<void> | void {
    if (this.#state === "parked") return this.#attached();
    if (this.#window && this.#window.room <= 0) return this.#window.wait();
  }

  end(message: EndMessage | null = null): void {
    // Muted or cut: the closing `error` is still to come.
    if (this.#state !== "open") return;
    this.#link.send(FRAME.end, this.#stream!, message && encodeValue(message));
    this.#state = "closed";
  }

  /** Where it was cut, `lostError` goes out in its place. Await what is returned, if it is a promise. */
  error(message: ErrorMessage): Promise<void> | void {
    if (this.#state === "parked") return this.#attached().then(() => this.error(message));
    if (this.#state === "closed") return;
    if (this.#stream !== null) this.#link.send(FRAME.error, this.#stream, encodeValue(this.#state === "cut" ? lostError() : message));
    this.#state = "closed";
  }

  grant(bytes: number): void {
    (this.#window ??= new SendWindow()).grant(bytes);
  }

  /** Nobody wants the answer; the stream is there. */
  mute(): void {
    if (this.#state === "parked") return this.cut();
    if (this.#state === "open") this.#giveUp("muted");
  }

  /** The connection was lost, and the answer is worth waiting for another. Only while untouched. */
  park(): void {
    this.#state = "parked";
    this.#stream = null;
    this.#window = null;
  }

  /** The connection was lost, and nobody will want the answer. */
  cut(): void {
    this.#stream = null;
    if (this.#state !== "closed" && this.#state !== "cut") this.#giveUp("cut");
  }

  /** The stream of a new connection. */
  attach(stream: number): void {
    this.#stream = stream;
    if (this.#state === "closed") return this.#link.send(FRAME.error, stream, encodeValue(lostError()));
    if (this.#state !== "parked") return;
    this.#state = "open";
    this.#release();
  }

  #giveUp(state: "muted" | "cut"): void {
    const wanted = this.#state !== "muted";
    this.#state = state;
    this.#window?.close();
    this.#release();
    if (wanted) this.onUnwanted?.();
  }

  #begin(head: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#begun = true;
    this.#link.sendHeadBody(FRAME.head, this.#stream!, head, null);
  }

  async #large(head: Uint8Array, bytes: Uint8Array): Promise<void> {
    this.#begin(head);
    if (await this.data(bytes)) this.end();
  }

  async #keep(head: Uint8Array, body: Uint8Array | string | null): Promise<void> {
    // Small bytes leave the handler's own memory in the turn of their answer, else: it may use it again.
    const kept = body instanceof Uint8Array && body.length <= INLINE_BODY_BYTES ? new Uint8Array(body) : body;
    await this.#attached();
    return this.result(head, kept);
  }

  async #attached(): Promise<void> {
    // More than once, where the new connection was lost before this was told.
    while (this.#state === "parked") await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  #release(): void {
    this.#wake?.();
    this.#wake = null;
  }
}

/** How a stream ends whose input can't go on: that its room is free is all that it says. */
function lostError(): ErrorMessage {
  return { error: toSerializedError(new SamovarError("drained", "The connection to the server was lost while the input ran")), retryable: true };
}
