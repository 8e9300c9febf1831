import {
  FRAME,
  SamovarError,
  decodeValue,
  encodeValue,
  show,
  splitHeadBody,
  toSerializedError,
  type CancelMessage,
  type ErrorMessage,
  type Frame,
  type HeldInput,
  type InputHead,
  type WindowMessage,
} from "@samovar/protocol";
import type { CancelReason } from "./abort.ts";
import { InputRun, type InputHost } from "./input-run.ts";

export interface InputsEvents {
  /** Whether the worker takes inputs; one that crossed a drain on its way is handed back. */
  accepting(): boolean;
  firstDone(): void;
  /** Nothing is held any more. */
  idle(): void;
}

/**
 * The inputs that a worker holds: by stream, and detached, those of a lost connection that still run or have an answer
 * for the server. An answer is kept until the next WELCOME at the longest, and a worker without a server gets no
 * inputs: there are never more than `concurrency.max` of them.
 */
export class Inputs {
  readonly #host: InputHost;
  readonly #events: InputsEvents;
  readonly #byStream = new Map<number, InputRun>();
  readonly #detached = new Set<InputRun>();
  /** What HELLO listed, until WELCOME answers to it. Some may be over by then. */
  #listed: readonly InputRun[] = [];
  #anyDone = false;
  #wakeSettled: (() => void) | null = null;

  constructor(host: Omit<InputHost, "done">, events: InputsEvents) {
    this.#host = { ...host, done: (run) => this.#onDone(run) };
    this.#events = events;
  }

  get held(): number {
    return this.#byStream.size + this.#detached.size;
  }

  /** A frame of an odd stream. */
  frame(frame: Frame): void {
    if (frame.type === FRAME.open) return this.#open(frame);
    const run = this.#byStream.get(frame.stream);
    // What belongs to an input that is over crossed its answer on the way.
    if (!run) return;
    switch (frame.type) {
      case FRAME.data:
        return run.data(frame.payload);
      case FRAME.end:
        return run.dataEnd();
      case FRAME.cancel:
        return run.cancel((decodeValue(frame.payload) as CancelMessage).reason);
      case FRAME.window:
        return run.reply.grant((decodeValue(frame.payload) as WindowMessage).bytes);
      default:
        throw new SamovarError("protocol_error", `A server sent frame type 0x${frame.type.toString(16)} on an input`);
    }
  }

  cancelAll(reason: CancelReason): void {
    for (const run of [...this.#byStream.values(), ...this.#detached]) run.cancel(reason);
  }

  /** Streams end with their connection; what runs goes on and takes up room until it ends, or until its kept answer is taken. */
  detachAll(): void {
    const runs = [...this.#byStream.values()];
    this.#byStream.clear();
    for (const run of runs) {
      this.#detached.add(run);
      run.detach();
    }
  }

  /** For HELLO, asked anew at each: what is detached, in the order in which `resume` gives streams. */
  list(): readonly HeldInput[] {
    this.#listed = [...this.#detached];
    return this.#listed.map((run) => run.held);
  }

  /** WELCOME: the listed ones go on with these streams. Those that got none are cancelled. Throws `protocol_error` on streams that can't be. */
  resume(streams: readonly number[]): void {
    const listed = this.#listed;
    this.#listed = [];
    assertStreams(streams, listed.length);
    for (const [i, stream] of streams.entries()) {
      const run = listed[i]!;
      if (this.#detached.delete(run)) this.#byStream.set(stream, run);
      run.reply.attach(stream);
    }
    for (const run of listed.slice(streams.length)) run.cancel("disconnected");
  }

  /** No server will come. Returns how many answers stood ready for it. */
  forsake(): number {
    const runs = [...this.#detached];
    const kept = runs.filter((run) => run.reply.isKept).length;
    for (const run of runs) run.reply.cut();
    return kept;
  }

  flushBatches(): void {
    this.#host.batchers.flushAll();
  }

  /** Resolves when nothing is held. */
  settled(): Promise<void> {
    if (this.held === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#wakeSettled = resolve));
  }

  #open(frame: Frame): void {
    if (this.#byStream.has(frame.stream)) throw new SamovarError("protocol_error", `Stream ${frame.stream} was opened twice`);
    const { head, body } = splitHeadBody(frame.payload);
    if (!this.#events.accepting()) {
      const message: ErrorMessage = {
        error: toSerializedError(new SamovarError("drained", "The worker was stopping when the input arrived")),
        retryable: true,
      };
      return this.#host.link.send(FRAME.error, frame.stream, encodeValue(message));
    }
    const run = new InputRun(this.#host, frame.stream, decodeValue(head) as InputHead, body);
    this.#byStream.set(frame.stream, run);
    run.start();
  }

  #onDone(run: InputRun): void {
    if (!this.#detached.delete(run)) this.#byStream.delete(run.reply.stream!);
    if (!this.#anyDone) {
      this.#anyDone = true;
      this.#events.firstDone();
    }
    if (this.held > 0) return;
    this.#wakeSettled?.();
    this.#wakeSettled = null;
    this.#events.idle();
  }
}

function assertStreams(streams: readonly number[], listed: number): void {
  const fit = Array.isArray(streams) && streams.length <= listed && streams.every((stream) => Number.isSafeInteger(stream) && stream > 0 && stream % 2 === 1);
  if (!fit || new Set(streams).size < streams.length)
    throw new SamovarError("protocol_error", `WELCOME gave ${listed} inputs the streams ${show(streams)}: one odd number for each is meant`);
}
