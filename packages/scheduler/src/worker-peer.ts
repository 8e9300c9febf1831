import { Readable, type Duplex } from "node:stream";
import type { FrameDecoder } from "@samovar/protocol";
import {
  CHUNK_BYTES,
  FRAME,
  FrameWriter,
  INITIAL_WINDOW_BYTES,
  INLINE_BODY_BYTES,
  SamovarError,
  decodeValue,
  encodeValue,
  splitHeadBody,
  toSerializedError,
  type AnswerHead,
  type BeginMessage,
  type CallHead,
  type CancelMessage,
  type DoneMessage,
  type DrainMessage,
  type ErrorMessage,
  type FailedMessage,
  type Frame,
  type FrameType,
  type InputHead,
  type LoadMessage,
  type LogMessage,
  type PhaseMessage,
  type StopReason,
  type WorkerExitMessage,
} from "@samovar/protocol";
import { ArrivingCalls, type ArrivingBytes } from "./arriving-calls.ts";

/** What a worker says about itself: the frames of stream 0, decoded. */
export interface PeerEvents {
  /** A hook begins. */
  begin(message: BeginMessage): void;
  phase(message: PhaseMessage): void;
  ready(): void;
  failed(message: FailedMessage): void;
  done(message: DoneMessage): void;
  /** The worker was asked to stop by a signal: it wants no more inputs. */
  drainRequested(message: DrainMessage): void;
  stopped(): void;
  pong(): void;
  log(message: LogMessage): void;
  workerExit(message: WorkerExitMessage): void;
  /** User code calls another function: answered through `CallReply`. */
  call(head: CallHead, body: Buffer, reply: CallReply): CallControl;
  /** The connection is over, once: by the worker's end, or because it broke the protocol. */
  closed(error: SamovarError | null): void;
}

/** The answer to one input, as it comes from the worker. Exactly one of `result`, `error`, or head, data*, end|error. */
export interface AnswerEvents {
  result(head: AnswerHead, body: Buffer): void;
  head(head: AnswerHead): void;
  /** Returns how the receiver keeps up: false stops the worker until `resume`. */
  data(chunk: Buffer): boolean;
  /** `ok` is false when the items ended with an error that stands in the stream itself. */
  end(ok: boolean): void;
  error(message: ErrorMessage): void;
}

export interface CallReply {
  result(head: AnswerHead, body: Buffer): void;
  head(head: AnswerHead): void;
  data(chunk: Buffer): boolean;
  end(): void;
  error(message: ErrorMessage): void;
}

export interface CallControl {
  cancel(): void;
  resume(): void;
}

/** One input on the wire. */
export interface InputStream {
  cancel(reason: CancelMessage["reason"]): void;
  resume(): void;
}

/** An input whose answer is awaited. */
class Inbound implements InputStream {
  readonly stream: number;
  readonly events: AnswerEvents;
  /** The answer has begun: only then may bytes of it come. */
  begun = false;
  /** Bytes received and not yet granted again. */
  ungranted = 0;
  paused = false;
  readonly #peer: WorkerPeer;

  constructor(peer: WorkerPeer, stream: number, events: AnswerEvents) {
    this.#peer = peer;
    this.stream = stream;
    this.events = events;
  }

  cancel(reason: CancelMessage["reason"]): void {
    this.#peer.cancelInput(this, reason);
  }

  resume(): void {
    this.#peer.resumeInput(this);
  }
}

interface Outbound {
  window: number;
  wake: (() => void) | null;
}

/** Of frames that go out: each worker has so much of it, busy or not; what a larger one needs goes with it. */
const SLAB_BYTES = 16 * 1024;
const REMEMBERED_HEAD_BYTES = 256;

/**
 * The server's end of one worker's connection. It knows frames and streams, nothing of pools.
 *
 * States: open → closed, by the socket's end, a malformed frame, or `destroy`. After `closed` was called nothing more
 * is. Streams that were open then are dropped silently: who holds them hears `closed`.
 */
export class WorkerPeer {
  readonly #socket: Duplex;
  readonly #events: PeerEvents;
  readonly #inbound = new Map<number, Inbound>();
  readonly #outbound = new Map<number, Outbound>();
  readonly #calls = new Map<number, CallControl>();
  readonly #arriving: ArrivingCalls;
  #nextStream = 1;
  #lastHead: { readonly bytes: Buffer; readonly head: AnswerHead } | null = null;
  readonly #out = new FrameWriter(SLAB_BYTES);
  #flushScheduled = false;
  #closed = false;

  /** `arriving` is shared with all other workers. */
  constructor(socket: Duplex, decoder: FrameDecoder, events: PeerEvents, arriving: ArrivingBytes = { used: 0 }) {
    this.#socket = socket;
    this.#events = events;
    this.#arriving = new ArrivingCalls(arriving, (stream, bytes) => this.#send(FRAME.window, stream, encodeValue({ bytes })));
    socket.on("data", (chunk: Buffer) => {
      try {
        decoder.push(chunk, this.#onFrame);
      } catch (error) {
        this.#close(error instanceof SamovarError ? error : new SamovarError("protocol_error", "A frame could not be handled", { cause: error }));
      }
    });
    socket.on("error", () => this.#close(null));
    socket.on("close", () => this.#close(null));
  }

  /** Frames that came in the same chunk as HELLO, before this peer existed. */
  replay(frames: readonly Frame[]): void {
    for (const frame of frames) this.#onFrame(frame);
  }

  load(message: LoadMessage): void {
    this.#send(FRAME.load, 0, encodeValue(message));
  }

  drain(reason: StopReason): void {
    this.#send(FRAME.drain, 0, encodeValue({ reason }));
  }

  stop(reason: StopReason, graceMs: number): void {
    this.#send(FRAME.stop, 0, encodeValue({ reason, graceMs }));
  }

  ping(): void {
    this.#send(FRAME.ping, 0);
  }

  spawn(workerIndex: number): void {
    this.#send(FRAME.spawn, 0, encodeValue({ workerIndex }));
  }

  destroy(): void {
    this.#close(null);
  }

  /** Gives the worker an input. A `bodyStream` is read as the worker grants room for it; so is a body that one frame can't carry. */
  open(head: InputHead, body: Buffer | null, bodyStream: AsyncIterable<Buffer> | null, events: AnswerEvents): InputStream {
    // Inputs of tasks come whole from storage.
    if (body !== null && body.length > INLINE_BODY_BYTES) return this.open(head, null, Readable.from([body]), events);
    const inbound = this.#begin(events);
    this.#sendHeadBody(FRAME.open, inbound.stream, encodeValue(bodyStream ? { ...head, streamed: true } : head), body);
    if (bodyStream) void this.#pipe(inbound.stream, bodyStream);
    return inbound;
  }

  /** An input that the worker holds since an earlier connection goes on, on a stream whose number it is told in WELCOME. */
  resume(events: AnswerEvents): readonly [stream: number, control: InputStream] {
    const inbound = this.#begin(events);
    return [inbound.stream, inbound];
  }

  #begin(events: AnswerEvents): Inbound {
    const inbound = new Inbound(this, this.#nextStream, events);
    this.#nextStream += 2;
    this.#inbound.set(inbound.stream, inbound);
    return inbound;
  }

  /** For `InputStream.cancel`. */
  cancelInput({ stream }: Inbound, reason: CancelMessage["reason"]): void {
    if (this.#inbound.has(stream)) this.#send(FRAME.cancel, stream, encodeValue({ reason }));
  }

  /** For `InputStream.resume`. */
  resumeInput(inbound: Inbound): void {
    if (!inbound.paused || !this.#inbound.has(inbound.stream)) return;
    inbound.paused = false;
    this.#grant(inbound);
  }

  async #pipe(stream: number, source: AsyncIterable<Buffer>): Promise<void> {
    const outbound: Outbound = { window: INITIAL_WINDOW_BYTES, wake: null };
    this.#outbound.set(stream, outbound);
    try {
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
          if (!this.#inbound.has(stream)) return;
          const piece = chunk.subarray(at, at + CHUNK_BYTES);
          while (outbound.window < piece.length && this.#inbound.has(stream)) {
            await new Promise<void>((wake) => (outbound.wake = wake));
          }
          outbound.window -= piece.length;
          this.#send(FRAME.data, stream, piece);
        }
      }
      this.#send(FRAME.end, stream);
    } catch {
      // The caller's upload broke off: who reads it hears so through cancel, which the gateway sends.
      this.#send(FRAME.cancel, stream, encodeValue({ reason: "disconnected" }));
    } finally {
      this.#outbound.delete(stream);
    }
  }

  readonly #onFrame = (frame: Frame): void => {
    if (this.#closed) return;
    if (frame.stream === 0) this.#onControl(frame);
    else if (frame.stream % 2 === 1) this.#onAnswer(frame);
    else this.#onCall(frame);
  };

  #onControl(frame: Frame): void {
    const message = (): never => (frame.payload.length === 0 ? {} : decodeValue(frame.payload)) as never;
    switch (frame.type) {
      case FRAME.begin:
        return this.#events.begin(message());
      case FRAME.phase:
        return this.#events.phase(message());
      case FRAME.ready:
        return this.#events.ready();
      case FRAME.failed:
        return this.#events.failed(message());
      case FRAME.done:
        return this.#events.done(message());
      case FRAME.drain:
        return this.#events.drainRequested(message());
      case FRAME.stopped:
        return this.#events.stopped();
      case FRAME.pong:
        return this.#events.pong();
      case FRAME.log:
        return this.#events.log(message());
      case FRAME.workerExit:
        return this.#events.workerExit(message());
      case FRAME.ping:
        return this.#send(FRAME.pong, 0);
      default:
        throw new SamovarError("protocol_error", `A worker sent frame type 0x${frame.type.toString(16)} on stream 0`);
    }
  }

  #onAnswer(frame: Frame): void {
    const inbound = this.#inbound.get(frame.stream);
    if (frame.type === FRAME.window) return this.#onWindow(frame);
    // Frames of a stream that is over crossed its end on the way.
    if (!inbound) return;
    switch (frame.type) {
      case FRAME.result: {
        const { head, body } = splitHeadBody(frame.payload);
        this.#endStream(frame.stream);
        return inbound.events.result(this.#answerHead(head), Buffer.from(body));
      }
      case FRAME.head:
        inbound.begun = true;
        return inbound.events.head(this.#answerHead(splitHeadBody(frame.payload).head));
      case FRAME.data:
        if (!inbound.begun) throw new SamovarError("protocol_error", "A worker sent bytes of an answer before its head");
        inbound.ungranted += frame.payload.length;
        if (!inbound.events.data(Buffer.from(frame.payload))) inbound.paused = true;
        else this.#grant(inbound);
        return;
      case FRAME.end:
        if (!inbound.begun) throw new SamovarError("protocol_error", "A worker ended an answer before its head");
        this.#endStream(frame.stream);
        return inbound.events.end(frame.payload.length === 0);
      case FRAME.error: {
        const message = decodeValue(frame.payload) as ErrorMessage;
        this.#endStream(frame.stream);
        return inbound.events.error(message);
      }
      default:
        throw new SamovarError("protocol_error", `A worker sent frame type 0x${frame.type.toString(16)} as an answer`);
    }
  }

  /** Nearly every answer of a function begins as the one before it. */
  #answerHead(bytes: Buffer): AnswerHead {
    if (this.#lastHead?.bytes.equals(bytes)) return this.#lastHead.head;
    const head = decodeValue(bytes) as AnswerHead;
    if (bytes.length <= REMEMBERED_HEAD_BYTES) this.#lastHead = { bytes: Buffer.from(bytes), head };
    return head;
  }

  #onWindow(frame: Frame): void {
    const outbound = this.#outbound.get(frame.stream);
    if (!outbound) return;
    outbound.window += (decodeValue(frame.payload) as { bytes: number }).bytes;
    outbound.wake?.();
    outbound.wake = null;
  }

  #onCall(frame: Frame): void {
    const stream = frame.stream;
    switch (frame.type) {
      case FRAME.open: {
        const { head: headBytes, body } = splitHeadBody(frame.payload);
        if (this.#calls.has(stream) || this.#arriving.has(stream)) throw new SamovarError("protocol_error", `Stream ${stream} was opened twice`);
        const head = decodeValue(headBytes) as CallHead;
        if (head.streamed) return this.#arrive(stream, head);
        return this.#beginCall(stream, head, Buffer.from(body));
      }
      case FRAME.data:
        return this.#arriving.add(stream, frame.payload);
      case FRAME.end: {
        const whole = this.#arriving.take(stream);
        return whole && this.#beginCall(stream, whole.head, whole.body);
      }
      case FRAME.cancel:
        this.#arriving.drop(stream);
        return this.#calls.get(stream)?.cancel();
      case FRAME.window:
        return this.#onWindow(frame);
      default:
        throw new SamovarError("protocol_error", `A worker sent frame type 0x${frame.type.toString(16)} on a call`);
    }
  }

  #arrive(stream: number, head: CallHead): void {
    try {
      this.#arriving.open(stream, head);
    } catch (error) {
      this.#send(FRAME.error, stream, encodeValue({ error: toSerializedError(error), retryable: false } satisfies ErrorMessage));
    }
  }

  #beginCall(stream: number, head: CallHead, body: Buffer): void {
    const outbound: Outbound = { window: INITIAL_WINDOW_BYTES, wake: null };
    this.#outbound.set(stream, outbound);
    this.#calls.set(stream, this.#events.call(head, body, this.#reply(stream, outbound)));
  }

  #reply(stream: number, outbound: Outbound): CallReply {
    const over = (): void => {
      this.#outbound.delete(stream);
      // Deferred: an answer can come before `call` returned its control.
      queueMicrotask(() => this.#calls.delete(stream));
    };
    const reply: CallReply = {
      result: (head, body) => {
        // The result of a task comes whole from storage, and one frame can't carry all of them.
        if (body.length > INLINE_BODY_BYTES) {
          reply.head(head);
          reply.data(body);
          return reply.end();
        }
        over();
        this.#sendHeadBody(FRAME.result, stream, encodeValue(head), body);
      },
      head: (head) => this.#sendHeadBody(FRAME.head, stream, encodeValue(head), null),
      data: (chunk) => {
        for (let at = 0; at < chunk.length; at += CHUNK_BYTES) this.#send(FRAME.data, stream, chunk.subarray(at, at + CHUNK_BYTES));
        outbound.window -= chunk.length;
        if (outbound.window > 0) return true;
        outbound.wake = () => {
          if (outbound.window > 0) this.#calls.get(stream)?.resume();
        };
        return false;
      },
      end: () => {
        over();
        this.#send(FRAME.end, stream);
      },
      error: (message) => {
        over();
        this.#send(FRAME.error, stream, encodeValue(message));
      },
    };
    return reply;
  }

  #grant(inbound: Inbound): void {
    if (inbound.ungranted < INITIAL_WINDOW_BYTES / 2) return;
    const bytes = inbound.ungranted;
    inbound.ungranted = 0;
    this.#send(FRAME.window, inbound.stream, encodeValue({ bytes }));
  }

  #endStream(stream: number): void {
    this.#inbound.delete(stream);
    const outbound = this.#outbound.get(stream);
    outbound?.wake?.();
  }

  #send(type: FrameType, stream: number, payload: Uint8Array | null = null): void {
    if (this.#closed) return;
    this.#out.frame(type, stream, payload);
    this.#flushSoon();
  }

  #sendHeadBody(type: FrameType, stream: number, head: Uint8Array, body: Uint8Array | null): void {
    if (this.#closed) return;
    this.#out.headBody(type, stream, head, body);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#out.bytes === 0 || this.#closed) return;
    const buffers = this.#out.take();
    this.#socket.write(buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers));
  };

  #close(error: SamovarError | null): void {
    if (this.#closed) return;
    if (!error) this.#flush();
    this.#closed = true;
    this.#socket.destroy();
    for (const control of this.#calls.values()) control.cancel();
    this.#calls.clear();
    this.#arriving.clear();
    this.#inbound.clear();
    for (const outbound of this.#outbound.values()) outbound.wake?.();
    this.#outbound.clear();
    this.#events.closed(error);
  }
}
