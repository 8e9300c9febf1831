import {
  FRAME,
  SamovarError,
  decodeValue,
  encodeValue,
  splitHeadBody,
  toSerializedError,
  type CancelMessage,
  type ErrorMessage,
  type Frame,
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

/** The inputs that a worker holds, by stream, and those whose connection was lost and which still run. */
export class Inputs {
  readonly #host: InputHost;
  readonly #events: InputsEvents;
  readonly #byStream = new Map<number, InputRun>();
  readonly #detached = new Set<InputRun>();
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

  /** Streams end with their connection; what runs goes on and takes up room until it ends. */
  detachAll(): void {
    const runs = [...this.#byStream.values()];
    this.#byStream.clear();
    for (const run of runs) {
      this.#detached.add(run);
      run.detach();
    }
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
    if (!this.#detached.delete(run)) this.#byStream.delete(run.stream);
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
