import type { Duplex } from "node:stream";
import { FrameDecoder, FrameWriter, SamovarError, type Frame, type FrameType } from "@samovar/protocol";

const SLAB_BYTES = 64 * 1024;

export interface ConnectionEvents {
  frame(frame: Frame): void;
  /** Once: the other end left, the socket broke, or what came was no frame (then with the error). */
  closed(error: SamovarError | null): void;
}

/**
 * Frames over one byte stream. Open until `closed` was called, or until `end`; after either nothing more is sent or
 * told. Frames of one turn of the event loop leave in one write.
 */
export class Connection {
  readonly #socket: Duplex;
  readonly #events: ConnectionEvents;
  readonly #decoder = new FrameDecoder();
  #open = true;
  readonly #out = new FrameWriter(SLAB_BYTES);
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
    return this.#socket.writableLength + this.#out.bytes;
  }

  send(type: FrameType, stream: number, payload: Uint8Array | null): void {
    if (!this.#open) return;
    this.#out.frame(type, stream, payload);
    this.#schedule();
  }

  /** A head and a body in one frame. */
  sendHeadBody(type: FrameType, stream: number, head: Uint8Array, body: Uint8Array | string | null): void {
    if (!this.#open) return;
    this.#out.headBody(type, stream, head, body);
    this.#schedule();
  }

  /** Writes what was gathered. For the end of a process, where no next turn comes. */
  flush(): void {
    this.#flushScheduled = false;
    if (!this.#open || this.#out.bytes === 0) return;
    const buffers = this.#out.take();
    if (buffers.length === 1) return void this.#socket.write(buffers[0]!);
    this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer);
    this.#socket.uncork();
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
