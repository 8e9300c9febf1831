import { INITIAL_WINDOW_BYTES, MAX_BODY_BYTES, SamovarError, type CallHead } from "@samovar/protocol";

/** What inputs that are still coming take in memory, of the calls of all workers together. */
export interface ArrivingBytes {
  used: number;
}

/** Beyond it, only the oldest of each worker goes on: each can be finished, and none is refused for what others do. */
const MANY_BYTES = 256 * 1024 * 1024;
/** Of one worker. Each may have sent its first window before anybody can say no. */
export const MAX_ARRIVING_CALLS = 1_000;

interface Arriving {
  readonly head: CallHead;
  readonly chunks: Buffer[];
  size: number;
  /** It may have sent so much. */
  granted: number;
}

/**
 * Calls of one worker whose inputs don't fit in one frame and are still coming.
 *
 * One that is open grows as far as its window, which is granted again as bytes come; where many bytes are held already,
 * those that aren't the oldest wait with a window that is used up, until one that is before them is whole or left.
 */
export class ArrivingCalls {
  readonly #held: ArrivingBytes;
  readonly #grant: (stream: number, bytes: number) => void;
  readonly #manyBytes: number;
  readonly #calls = new Map<number, Arriving>();

  /** `held` is shared by all workers. */
  constructor(held: ArrivingBytes, grant: (stream: number, bytes: number) => void, manyBytes = MANY_BYTES) {
    this.#held = held;
    this.#grant = grant;
    this.#manyBytes = manyBytes;
  }

  has(stream: number): boolean {
    return this.#calls.has(stream);
  }

  /** Throws `too_many_pending`. */
  open(stream: number, head: CallHead): void {
    if (this.#calls.size >= MAX_ARRIVING_CALLS)
      throw new SamovarError("too_many_pending", `${MAX_ARRIVING_CALLS} calls of this worker are being sent already; try again when they have been`);
    this.#calls.set(stream, { head, chunks: [], size: 0, granted: INITIAL_WINDOW_BYTES });
  }

  /** Of a call that is over, nothing. Throws `protocol_error` for what nobody granted. */
  add(stream: number, chunk: Uint8Array): void {
    const call = this.#calls.get(stream);
    if (!call) return;
    call.size += chunk.length;
    this.#held.used += chunk.length;
    if (call.size > MAX_BODY_BYTES) throw new SamovarError("protocol_error", `A call's input is over ${MAX_BODY_BYTES} bytes`);
    if (call.size > call.granted) throw new SamovarError("protocol_error", "A worker sent more of a call's input than its window allows");
    call.chunks.push(Buffer.from(chunk));
    this.#grantMore();
  }

  /** It is whole. */
  take(stream: number): { readonly head: CallHead; readonly body: Buffer } | undefined {
    const call = this.#calls.get(stream);
    this.drop(stream);
    return call && { head: call.head, body: Buffer.concat(call.chunks, call.size) };
  }

  drop(stream: number): void {
    const call = this.#calls.get(stream);
    if (!call) return;
    this.#calls.delete(stream);
    this.#held.used -= call.size;
    this.#grantMore();
  }

  /** The connection is over. */
  clear(): void {
    for (const { size } of this.#calls.values()) this.#held.used -= size;
    this.#calls.clear();
  }

  #grantMore(): void {
    let isOldest = true;
    for (const [stream, call] of this.#calls) {
      if (!isOldest && this.#held.used >= this.#manyBytes) return;
      isOldest = false;
      const bytes = call.size + INITIAL_WINDOW_BYTES - call.granted;
      if (bytes <= 0) continue;
      call.granted += bytes;
      this.#grant(stream, bytes);
    }
  }
}
