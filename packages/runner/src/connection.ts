import type { Duplex } from "node:stream";
import { FrameDecoder, MAX_FRAME_BYTES, SamovarError, type Frame, type FrameType } from "@samovar/protocol";

const HEADER_BYTES = 9;
const SLAB_BYTES = 64 * 1024;

export interface ConnectionEvents {
  frame(frame: Frame): void;
  /** Once: the other end left, the socket broke, or what came was no frame (then with the error). */
  closed(error: SamovarError | null): void;
}

/**
 * Frames over one byte stream. Open until `closed` was called, or until `end`; after either nothing more is sent or
 * told. Frames of one turn of the event loop are written straight into one buffer and leave in one write: under load
 * that is most of what a call costs.
 */
export class Connection {
  readonly #socket: Duplex;
  readonly #events: ConnectionEvents;
  readonly #decoder = new FrameDecoder();
  #open = true;
  #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** In the slab: where the unsent bytes begin, and where the next goes. */
  #from = 0;
  #at = 0;
  /** Full slabs that wait for the flush, and their size. */
  #full: Buffer[] = [];
  #fullBytes = 0;
  #flushScheduled = false;

  constructor(socket: Duplex, events: ConnectionEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (chunk: Buffer) => {
      if (!this.#open) return;
      try {
        this.#decoder.push(chunk, (frame) => {
          if (this.#open) this.#events.frame(frame);
        });
      } catch (error) {
        this.#close(
          error instanceof SamovarError ? error : new SamovarError("protocol_error", `A frame could not be handled: ${String(error)}`, { cause: error }),
        );
      }
    });
    socket.on("error", () => this.#close(null));
    socket.on("end", () => this.#close(null));
    socket.on("close", () => this.#close(null));
  }

  /** Bytes that were sent and did not leave this process yet. */
  get backlogBytes(): number {
    return this.#socket.writableLength + this.#fullBytes + this.#at - this.#from;
  }

  send(type: FrameType, stream: number, payload: Uint8Array | null): void {
    if (!this.#open) return;
    const size = payload === null ? 0 : payload.length;
    this.#header(type, stream, size);
    if (payload !== null) this.#put(payload);
    this.#schedule();
  }

  /** A head and a body in one frame; text is encoded where it will lie, without a copy. */
  sendHeadBody(type: FrameType, stream: number, head: Uint8Array, body: Uint8Array | string | null): void {
    if (!this.#open) return;
    const bodyBytes = body === null ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.length;
    this.#header(type, stream, 4 + head.length + bodyBytes);
    this.#at = this.#slab.writeUInt32BE(head.length, this.#at);
    this.#put(head);
    if (typeof body === "string") this.#at += this.#slab.write(body, this.#at);
    else if (body !== null) this.#put(body);
    this.#schedule();
  }

  /** Writes what was gathered. For the end of a process, where no next turn comes. */
  flush(): void {
    this.#flushScheduled = false;
    if (!this.#open || (this.#from === this.#at && this.#full.length === 0)) return;
    if (this.#full.length > 0) {
      this.#socket.cork();
      for (const buffer of this.#full) this.#socket.write(buffer);
      this.#full = [];
      this.#fullBytes = 0;
      if (this.#from < this.#at) this.#socket.write(this.#slab.subarray(this.#from, this.#at));
      this.#socket.uncork();
    } else this.#socket.write(this.#slab.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }

  /**
   * Sends what was gathered and ends this side. Resolves when the peer has read it all and closed its own: one that still
   * writes to a socket that is gone would lose, with its failed write, what it has not read yet.
   */
  end(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.flush();
    this.#open = false;
    return new Promise((resolve) => {
      this.#socket.once("close", resolve);
      this.#socket.end();
    });
  }

  destroy(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #header(type: FrameType, stream: number, payloadBytes: number): void {
    const size = 5 + payloadBytes;
    if (size > MAX_FRAME_BYTES + 5) throw new SamovarError("protocol_error", `A frame of ${size} bytes is over the limit of ${MAX_FRAME_BYTES}`);
    this.#reserve(HEADER_BYTES + payloadBytes);
    const slab = this.#slab;
    const at = this.#at;
    slab.writeUInt32BE(size, at);
    slab[at + 4] = type;
    slab.writeUInt32BE(stream, at + 5);
    this.#at = at + HEADER_BYTES;
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
    // Written parts of the old slab may still wait in the socket: it is left to them, never written again.
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes));
    this.#from = 0;
    this.#at = 0;
  }

  #schedule(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#onImmediate);
  }

  readonly #onImmediate = (): void => this.flush();

  #close(error: SamovarError | null): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.destroy();
    this.#events.closed(error);
  }
}
