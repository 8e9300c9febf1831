import { SamovarError, show } from "@samovar/protocol";
import type { Inputs, MapOptions } from "./handle-types.ts";

/** Calls under way unless asked otherwise: enough to keep several containers busy, few enough to stop at once. */
export const DEFAULT_MAP_CONCURRENCY = 32;

/** Ordered results may wait for an earlier one; beyond this many times the concurrency no further call begins. */
const MAX_AHEAD = 4;

type Outcome = { readonly value: unknown } | { readonly error: unknown };

/**
 * Calls `call` for each input and yields the results. Nothing begins before the first result is asked for. An input
 * is read only when its call can begin, and no call begins while enough results wait for the consumer: both sides
 * hold the pace. Leaving the loop, an error or `signal` cancels what is under way and closes the inputs.
 */
export async function* mapInputs(
  inputs: Inputs<unknown>,
  call: (input: unknown, signal: AbortSignal) => Promise<unknown>,
  options: MapOptions & { readonly returnErrors?: boolean } = {},
): AsyncGenerator<unknown, void, undefined> {
  const { concurrency = DEFAULT_MAP_CONCURRENCY, ordered = true, returnErrors = false } = options;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1)
    throw new SamovarError("invalid_option", `map: concurrency is ${show(concurrency)}, but it takes a whole number, 1 or more`);
  const cancel = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, cancel.signal]) : cancel.signal;
  const source = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
  const window = new MapWindow(ordered);
  const left = Promise.withResolvers<never>();
  left.promise.catch(() => {});
  const leave = (): void => left.reject(options.signal!.reason as Error);
  options.signal?.addEventListener("abort", leave, { once: true });
  let exhausted = false;
  /** The read of the next input: one at a time, because that is all that iterators promise to bear. */
  let reading: Promise<void> | undefined;

  const read = async (): Promise<void> => {
    const next = await source.next();
    if (next.done) exhausted = true;
    else window.begin(call(await next.value, signal));
    reading = undefined;
  };

  try {
    for (;;) {
      options.signal?.throwIfAborted();
      if (!exhausted && !reading && window.running < concurrency && window.held < concurrency * MAX_AHEAD) {
        reading = read();
        // It may fail while the consumer holds a result; it is told when that one's successors are taken.
        reading.catch(() => {});
      }
      const outcome = window.take();
      if (outcome) {
        if ("value" in outcome) yield outcome.value;
        else if (returnErrors) yield toError(outcome.error);
        else throw outcome.error;
      } else if (exhausted && window.held === 0) {
        return;
      } else {
        await Promise.race([window.changed(), left.promise, ...(reading ? [reading] : [])]);
      }
    }
  } finally {
    options.signal?.removeEventListener("abort", leave);
    cancel.abort(new SamovarError("cancelled", "The map was left before all of its results were taken"));
    // Not awaited: an input source that hangs must not keep the error or the loop's end from the consumer.
    if (!exhausted) Promise.resolve(source.return?.()).catch(() => {});
  }
}

/** The calls of one map: running, or settled and not yet taken. Ordered, the first one begun is taken first. */
class MapWindow {
  running = 0;
  readonly #ordered: boolean;
  readonly #entries: { outcome?: Outcome }[] = [];
  #wake: (() => void) | undefined;

  constructor(ordered: boolean) {
    this.#ordered = ordered;
  }

  get held(): number {
    return this.#entries.length;
  }

  begin(call: Promise<unknown>): void {
    const entry: { outcome?: Outcome } = {};
    this.#entries.push(entry);
    this.running++;
    const settle = (outcome: Outcome): void => {
      entry.outcome = outcome;
      this.running--;
      this.#wake?.();
    };
    call.then(
      (value) => settle({ value }),
      (error: unknown) => settle({ error }),
    );
  }

  take(): Outcome | undefined {
    const at = this.#ordered ? (this.#entries[0]?.outcome ? 0 : -1) : this.#entries.findIndex((entry) => entry.outcome);
    return at < 0 ? undefined : this.#entries.splice(at, 1)[0]!.outcome;
  }

  /** Settles when a call does. */
  changed(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve));
  }
}

const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
