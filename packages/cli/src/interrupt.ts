import { constants } from "node:os";
import type { CliIo, CliSignal } from "./io.ts";

/** Why a command's signal was aborted: the user asked for the end of it. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly signal: CliSignal;

  constructor(signal: CliSignal) {
    super(`Ended by ${signal}`);
    this.signal = signal;
  }

  /** As shells tell it: 130 for Ctrl-C. */
  get exitCode(): number {
    return 128 + constants.signals[this.signal];
  }
}

/**
 * Ctrl-C and its kin for one command.
 *
 * `signal` is aborted by the first one: finish what must be finished. `forced` is aborted by the second: the
 * command is left at once, whatever it still does. A pipe whose reader left is both.
 */
export interface Interrupt {
  readonly signal: AbortSignal;
  readonly forced: AbortSignal;
}

export function createInterrupt(io: Pick<CliIo, "onSignal">): Interrupt & { dispose(): void } {
  const first = new AbortController();
  const second = new AbortController();
  const dispose = io.onSignal((signal) => {
    const reason = new InterruptedError(signal);
    if (first.signal.aborted || signal === "SIGPIPE") second.abort(reason);
    first.abort(reason);
  });
  return { signal: first.signal, forced: second.signal, dispose };
}

/** Rejects with the signal's reason once it is aborted; else as the promise does. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}
