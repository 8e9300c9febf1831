import { SamovarError } from "./errors.ts";
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, type FrameType } from "./frames.ts";

const NO_SLAB = Buffer.alloc(0);

/**
 * Frames for one byte stream, written where they will leave from: those of one turn of the event loop lie one behind the
 * other and go in one write, which under load is most of what a call costs.
 */
export class FrameWriter {
  readonly #slabBytes: number;
  #slab: Buffer;
  /** In the slab: where the untaken bytes begin, and where the next goes. */
  #from = 0;
  #at = 0;
  /** Full slabs that were not taken yet, and their size. */
  #full: Buffer[] = [];
  #fullBytes = 0;

  constructor(slabBytes: number) {
    this.#slabBytes = slabBytes;
    this.#slab = Buffer.allocUnsafeSlow(slabBytes);
  }

  /** Bytes that were written and not taken. */
  get bytes(): number {
    return this.#fullBytes + this.#at - this.#from;
  }

  frame(type: FrameType, stream: number, payload: Uint8Array | null): void {
    this.#header(type, stream, payload === null ? 0 : payload.length);
    if (payload !== null) this.#put(payload);
  }

  /**
   * A head (a value) and a body (bytes that only the ends look into) in one frame: `head length u32 | head | body`. Text is
   * encoded where it will lie, without a copy.
   */
  headBody(type: FrameType, stream: number, head: Uint8Array, body: Uint8Array | string | null): void {
    const bodyBytes = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length;
    this.#header(type, stream, 4 + head.length + bodyBytes);
    this.#at = this.#slab.writeUInt32BE(head.length, this.#at);
    this.#put(head);
    if (typeof body === "string") this.#at += this.#slab.write(body, this.#at);
    else if (body !== null) this.#put(body);
  }

  /** All that was written since the last time, in order. It is the receiver's: it is never written to again, and no more than a slab is kept. */
  take(): readonly Buffer[] {
    const taken = this.#full;
    if (this.#from < this.#at) taken.push(this.#slab.subarray(this.#from, this.#at));
    this.#full = [];
    this.#fullBytes = 0;
    this.#from = this.#at;
    // One that was made for a larger frame is full, and of no use to who has nothing more to write.
    if (this.#slab.length > this.#slabBytes) {
      this.#slab = NO_SLAB;
      this.#from = 0;
      this.#at = 0;
    }
    return taken;
  }

  #header(type: FrameType, stream: number, payloadBytes: number): void {
    if (payloadBytes > MAX_FRAME_BYTES) throw new SamovarError("protocol_error", `A frame of ${payloadBytes} bytes is over the limit of ${MAX_FRAME_BYTES}`);
    this.#reserve(FRAME_HEADER_BYTES + payloadBytes);
    const slab = this.#slab;
    const at = this.#at;
    slab.writeUInt32BE(5 + payloadBytes, at);
    slab[at + 4] = type;
    slab.writeUInt32BE(stream, at + 5);
    this.#at = at + FRAME_HEADER_BYTES;
  }

  #put(bytes: Uint8Array): void {
    this.#slab.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#slab.length) return;
    if (this.#from < this.#at) {
      this.#full.push(this.#slab.subarray(this.#from, this.#at));
      this.#fullBytes += this.#at - this.#from;
    }
    // Taken parts of the old slab may still wait in a socket: it is left to them.
    this.#slab = Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, bytes));
    this.#from = 0;
    this.#at = 0;
  }
}
