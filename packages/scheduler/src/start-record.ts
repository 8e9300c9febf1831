import { SamovarError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { StartFailure } from "./container-types.ts";
import type { Deadline, Deadlines } from "./deadlines.ts";
import { startBackoffMs } from "./decisions/start-backoff.ts";
import type { PoolSpec } from "./pool-types.ts";

/**
 * Failed starts in a row: why the last one failed, when the next may be tried, and whether it has been so many that
 * inputs are answered at once. One success forgets all of it.
 */
export class StartRecord {
  readonly #spec: PoolSpec;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  #failures = 0;
  #lastFailure: StartFailure | null = null;
  #notBeforeMs = 0;
  #retryDeadline: Deadline | null = null;
  #refusal: SamovarError | null = null;

  constructor(spec: PoolSpec, clock: Clock, deadlines: Deadlines) {
    this.#spec = spec;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  get lastFailure(): StartFailure | null {
    return this.#lastFailure;
  }

  get isFailing(): boolean {
    return this.#refusal !== null || this.#failures >= this.#spec.startPolicy.failuresUntilFailing;
  }

  /** The back-off is over. */
  get mayTry(): boolean {
    return this.#spec.startPolicy.retries && this.#refusal === null && this.#clock.monotonic() >= this.#notBeforeMs;
  }

  /** No container of it could ever start here. Nothing is tried, and that is for good. */
  refuse(error: SamovarError): void {
    this.#refusal = error;
  }

  get refusal(): SamovarError | null {
    return this.#refusal;
  }

  failed(failure: StartFailure, tryAgain: () => void): void {
    this.#failures++;
    this.#lastFailure = failure;
    this.#notBeforeMs = this.#clock.monotonic() + startBackoffMs(this.#failures);
    this.#deadlines.delete(this.#retryDeadline);
    if (this.#spec.startPolicy.retries) this.#retryDeadline = this.#deadlines.add(this.#notBeforeMs, tryAgain);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#lastFailure = null;
    this.#notBeforeMs = 0;
  }

  /** Somebody asks for containers now: what failed before is no reason to wait. */
  forgive(): void {
    this.succeeded();
    this.#deadlines.delete(this.#retryDeadline);
  }

  /** As `samovar ps` tells it. */
  get reason(): string | null {
    if (this.#refusal) return this.#refusal.message;
    if (!this.#lastFailure) return null;
    const { phase, hook, error } = this.#lastFailure;
    const inMs = this.#notBeforeMs - this.#clock.monotonic();
    const next = this.#spec.startPolicy.retries && inMs > 0 ? ` (the next try is in ${Math.ceil(inMs / 1_000)} s)` : "";
    return `${hook ?? phase}: ${error.message}${next}`;
  }

  /** As callers are told. */
  error(): SamovarError | undefined {
    if (this.#refusal) return this.#refusal;
    const failure = this.#lastFailure;
    if (!failure) return undefined;
    const { phase, hook, error, lastLines } = failure;
    const retryAfterMs = this.#spec.startPolicy.retries ? Math.max(0, this.#notBeforeMs - this.#clock.monotonic()) : undefined;
    return new SamovarError(
      "start_failed",
      `${this.#spec.load.functionName} can't start: ${hook ? `hook ${hook}` : `phase ${phase}`} failed: ${error.message}`,
      {
        cause: error,
        fields: { phase, hook, lastLines, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
      },
    );
  }

  dispose(): void {
    this.#deadlines.delete(this.#retryDeadline);
  }
}
