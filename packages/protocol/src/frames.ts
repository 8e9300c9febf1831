import { SamovarError } from "./errors.ts";

/**
 * Frames between server and runner: `length u32 | type u8 | stream u32 | payload`, big-endian, `length` counting
 * what follows it. Stream 0 is the connection itself; the server opens odd streams, the worker even ones.
 * The document is docs/protocol.md; a test holds its table of types against this one.
 */
export const FRAME = {
  hello: 0x01,
  welcome: 0x02,
  reject: 0x03,
  load: 0x04,
  phase: 0x05,
  ready: 0x06,
  failed: 0x07,
  done: 0x08,
  drain: 0x09,
  stop: 0x0a,
  stopped: 0x0b,
  ping: 0x0c,
  pong: 0x0d,
  log: 0x0e,
  spawn: 0x0f,
  workerExit: 0x10,
  begin: 0x11,
  open: 0x20,
  head: 0x21,
  data: 0x22,
  end: 0x23,
  result: 0x24,
  error: 0x25,
  cancel: 0x26,
  window: 0x27,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export const PROTOCOL_VERSION = 1;
/** A worker looks for its server so long, and a server awaits its predecessor's workers so long: then each goes on without the other. */
export const SERVER_AWAY_MS = 10_000;
/** A frame may carry this much after its length; larger bodies are cut into `data` frames. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024;
/** Bodies and results up to this ride inside `open` and `result`; larger ones are streamed under flow control. */
export const INLINE_BODY_BYTES = 256 * 1024;
/** What a sender of `data` writes at a time. */
export const CHUNK_BYTES = 64 * 1024;
/** Bytes of `data` a side may send on a stream before it is granted more by `window`. */
export const INITIAL_WINDOW_BYTES = 1024 * 1024;

/** Length, type and stream: what comes before a payload. */
export const FRAME_HEADER_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly stream: number;
  /** A view into the receive buffer: valid until the handler returns, copy it to keep it. */
  readonly payload: Buffer;
}

/** One frame as bytes. */
export function encodeFrame(type: FrameType, stream: number, ...payload: readonly Uint8Array[]): Buffer {
  let size = 5;
  for (const part of payload) size += part.length;
  if (size > MAX_FRAME_BYTES + 5) throw new SamovarError("protocol_error", `A frame of ${size} bytes is over the limit of ${MAX_FRAME_BYTES}`);
  const frame = Buffer.allocUnsafe(4 + size);
  frame.writeUInt32BE(size, 0);
  frame[4] = type;
  frame.writeUInt32BE(stream, 5);
  let at = FRAME_HEADER_BYTES;
  for (const part of payload) {
    frame.set(part, at);
    at += part.length;
  }
  return frame;
}

/** Parts a payload of `FrameWriter.headBody`. */
export function splitHeadBody(payload: Buffer): { head: Buffer; body: Buffer } {
  if (payload.length < 4) throw new SamovarError("protocol_error", "A head is missing");
  const size = payload.readUInt32BE(0);
  if (size > payload.length - 4) throw new SamovarError("protocol_error", "A head is longer than its frame");
  return { head: payload.subarray(4, 4 + size), body: payload.subarray(4 + size) };
}

/**
 * Cuts a byte stream into frames. `push` calls `onFrame` for each whole one and throws `protocol_error` at the
 * first that is malformed; after that the connection must be closed.
 */
export class FrameDecoder {
  #rest: Buffer | null = null;
  #chunks: Buffer[] = [];
  #gathered = 0;
  #wanted = 0;

  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    // A large frame arrives in many chunks: they are joined once, when it is whole.
    if (this.#wanted > 0) {
      this.#chunks.push(chunk);
      this.#gathered += chunk.length;
      if (this.#gathered < this.#wanted) return;
      chunk = Buffer.concat(this.#chunks, this.#gathered);
      this.#chunks = [];
      this.#wanted = 0;
    } else if (this.#rest) {
      chunk = Buffer.concat([this.#rest, chunk]);
      this.#rest = null;
    }
    let at = 0;
    while (chunk.length - at >= 4) {
      const size = chunk.readUInt32BE(at);
      if (size < 5 || size > MAX_FRAME_BYTES + 5) throw new SamovarError("protocol_error", `A frame says it has ${size} bytes`);
      if (chunk.length - at < 4 + size) {
        this.#chunks = [chunk.subarray(at)];
        this.#gathered = chunk.length - at;
        this.#wanted = 4 + size;
        return;
      }
      const end = at + 4 + size;
      onFrame({ type: chunk[at + 4]!, stream: chunk.readUInt32BE(at + 5), payload: chunk.subarray(at + FRAME_HEADER_BYTES, end) });
      at = end;
    }
    if (at < chunk.length) this.#rest = chunk.subarray(at);
  }
}
