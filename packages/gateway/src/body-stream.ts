import type { IncomingMessage } from "node:http";
import { SamovarError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { tooLarge, type BodyLimits } from "./body-limits.ts";

/** Chunks held before the socket is paused. */
const HIGH_WATER_BYTES = 128 * 1024;

/**
 * A request's body at its reader's pace.
 *
 * States: open → ended (the client sent all) | broken (over the limit, too slow, the client left) | returned (the
 * reader wants no more). While open the socket is paused whenever more than `HIGH_WATER_BYTES` wait. Not Node's
 * own iterator, because that one destroys the socket, and with it the answer, when its reader stops early.
 */
export class BodyStream implements AsyncIterableIterator<Buffer> {
  readonly #req: IncomingMessage;
  readonly #limits: BodyLimits;
  readonly #clock: Clock;
  readonly #onFailure: (error: SamovarError) => void;
  readonly #waiting: Buffer[];
  #waitingBytes: number;
  #received: number;
  #state: "open" | "ended" | "broken" | "returned" = "open";
  #error: SamovarError | null = null;
  #pending: { resolve: (result: IteratorResult<Buffer>) => void; reject: (error: unknown) => void } | null = null;
  #cancelTimer: (() => void) | null = null;

  constructor(req: IncomingMessage, limits: BodyLimits, clock: Clock, before: readonly Buffer[], onFailure: (error: SamovarError) => void) {
    this.#req = req;
    this.#limits = limits;
    this.#clock = clock;
    this.#onFailure = onFailure;
    this.#waiting = [...before];
    this.#waitingBytes = this.#received = before.reduce((sum, chunk) => sum + chunk.length, 0);
    req.on("data", this.#onData);
    req.once("end", this.#onEnd);
    req.once("close", this.#onClose);
    if (this.#waitingBytes > HIGH_WATER_BYTES) req.pause();
    else req.resume();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Buffer>> {
    const chunk = this.#waiting.shift();
    if (chunk) {
      this.#waitingBytes -= chunk.length;
      if (this.#waitingBytes <= HIGH_WATER_BYTES && this.#state === "open") this.#req.resume();
      return Promise.resolve({ value: chunk, done: false });
    }
    if (this.#state === "broken") return Promise.reject(this.#error!);
    if (this.#state !== "open") return Promise.resolve({ value: undefined, done: true });
    this.#cancelTimer = this.#clock.after(this.#limits.idleMs, () =>
      this.#break(new SamovarError("invalid_request", `The body stopped arriving: nothing for ${this.#limits.idleMs / 1_000} s after ${this.#received} bytes`)),
    );
    return new Promise((resolve, reject) => (this.#pending = { resolve, reject }));
  }

  return(): Promise<IteratorResult<Buffer>> {
    if (this.#state === "open") {
      this.#leave("returned");
      this.#req.resume();
    }
    this.#waiting.length = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#received > this.#limits.maxBytes) return this.#break(tooLarge(this.#received, this.#limits.maxBytes));
    if (this.#pending) return this.#settle({ value: chunk, done: false });
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes > HIGH_WATER_BYTES) this.#req.pause();
  };

  readonly #onEnd = (): void => {
    if (this.#state !== "open") return;
    this.#leave("ended");
    this.#settle({ value: undefined, done: true });
  };

  /** Also comes after an ordinary end; before it, the client left. */
  readonly #onClose = (): void => {
    if (this.#state !== "open") return;
    this.#error = new SamovarError("cancelled", `The caller left after ${this.#received} bytes of its body`);
    this.#leave("broken");
  };

  #break(error: SamovarError): void {
    if (this.#state !== "open") return;
    this.#error = error;
    this.#leave("broken");
    this.#onFailure(error);
  }

  #leave(state: "ended" | "broken" | "returned"): void {
    this.#state = state;
    this.#req.off("data", this.#onData);
    this.#req.off("end", this.#onEnd);
    this.#req.off("close", this.#onClose);
    if (state === "broken") {
      this.#waiting.length = 0;
      this.#cancelTimer?.();
      this.#pending?.reject(this.#error);
      this.#pending = null;
    } else if (state === "returned") this.#settle({ value: undefined, done: true });
  }

  #settle(result: IteratorResult<Buffer>): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#pending?.resolve(result);
    this.#pending = null;
  }
}
