import { SamovarError } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import type { Deadline, Deadlines } from "./deadlines.ts";

/** The fleet, as those who wait for its containers see it. */
export interface WarmUpFleet {
  readonly windowMs: number | null;
  readonly ceiling: number;
  readonly readyCount: number;
  readonly startingCount: number;
  /** Why nothing more starts, for people. */
  readonly waitReason: string | null;
  /** More are wanted. */
  reconcile(): void;
  /** Fewer may be. */
  rescale(): void;
}

interface WarmUp {
  readonly count: number;
  readonly deadline: { current: Deadline };
  readonly end: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Beyond `startupTimeout`: a start that takes all of it is to say so itself. */
const MARGIN_MS = 2_000;
/** How long those that were brought up stay for what they were brought up for, unless somebody else needs the room. */
const MAX_HOLD_MS = 60_000;

/**
 * Those who wait until a pool has so many containers ready at the same time. A floor holds while anyone waits, and after
 * that for the scale-down window, at most a minute. A wait ends when enough are ready, when a start failed, when its
 * signal fires, when the pool closes, or when nothing could be started for `startupTimeout`.
 */
export class WarmUps {
  readonly #functionName: string;
  readonly #startupTimeoutMs: number;
  readonly #fleet: WarmUpFleet;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #waits = new Set<WarmUp>();
  #held = 0;
  #floor = 0;
  #holdDeadline: Deadline | null = null;

  constructor(functionName: string, startupTimeoutMs: number, fleet: WarmUpFleet, clock: Clock, deadlines: Deadlines) {
    this.#functionName = functionName;
    this.#startupTimeoutMs = startupTimeoutMs;
    this.#fleet = fleet;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  /** As many are to be kept for those who wait, or waited a moment ago. Read with every input, hence a number. */
  get floor(): number {
    return this.#floor;
  }

  /** Of that, what somebody still waits for: the rest gives way to whoever has no room. */
  get waitingFloor(): number {
    let floor = 0;
    for (const wait of this.#waits) floor = Math.max(floor, wait.count);
    return floor;
  }

  /** One of those that were held gave way: it is not to be started again for having been wanted once. */
  letGo(): void {
    this.#held = 0;
    this.#countFloor();
    this.#deadlines.delete(this.#holdDeadline);
  }

  async wait(count: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      wait.end();
      wait.reject(signal.reason);
      this.#fleet.rescale();
    };
    const wait: WarmUp = {
      count,
      deadline: { current: this.#watch(() => this.#late(wait)) },
      end: () => {
        this.#waits.delete(wait);
        this.#countFloor();
        this.#deadlines.delete(wait.deadline.current);
        signal.removeEventListener("abort", onAbort);
      },
      resolve,
      reject,
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#waits.add(wait);
    this.#countFloor();
    this.#fleet.reconcile();
    this.check();
    return promise;
  }

  /** Containers became ready, or the ceiling changed. */
  check(): void {
    for (const wait of this.#waits) {
      const count = Math.min(wait.count, this.#fleet.ceiling);
      if (this.#fleet.readyCount < count) continue;
      this.#hold(count);
      wait.end();
      wait.resolve();
    }
  }

  failed(error: SamovarError): void {
    for (const wait of this.#waits) {
      wait.end();
      wait.reject(error);
    }
  }

  /** The pool closes. */
  dispose(): void {
    this.failed(new SamovarError("shutting_down", `${this.#functionName} was stopped while its containers started`));
    this.#deadlines.delete(this.#holdDeadline);
    this.#held = 0;
    this.#countFloor();
  }

  #watch(onDue: () => void): Deadline {
    return this.#deadlines.add(this.#clock.monotonic() + this.#startupTimeoutMs + MARGIN_MS, onDue);
  }

  #late(wait: WarmUp): void {
    // What starts has a deadline of its own, which can say why it took so long.
    if (this.#fleet.startingCount > 0) {
      wait.deadline.current = this.#watch(() => this.#late(wait));
      return;
    }
    wait.end();
    const { readyCount, waitReason } = this.#fleet;
    const why = waitReason === null ? "" : `: ${waitReason}`;
    wait.reject(
      new SamovarError(
        "no_capacity",
        `${readyCount} of ${wait.count} containers of ${this.#functionName} could be started within ${this.#startupTimeoutMs / 1_000} s${why}`,
        {
          fields: { reason: waitReason },
        },
      ),
    );
    this.#fleet.rescale();
  }

  #countFloor(): void {
    this.#floor = this.#held;
    for (const wait of this.#waits) this.#floor = Math.max(this.#floor, wait.count);
  }

  #hold(count: number): void {
    const windowMs = Math.min(this.#fleet.windowMs ?? MAX_HOLD_MS, MAX_HOLD_MS);
    this.#held = Math.max(this.#held, count);
    this.#countFloor();
    this.#deadlines.delete(this.#holdDeadline);
    this.#holdDeadline = this.#deadlines.add(this.#clock.monotonic() + windowMs, () => {
      this.#held = 0;
      this.#countFloor();
      this.#fleet.rescale();
    });
  }
}
