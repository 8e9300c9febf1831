import type { Clock } from "@samovar/kit";

/**
 * Calls back once nothing has happened for a while. `isBusy` is asked then: what still runs counts as something
 * happening.
 *
 * States: waiting → (time is up, not busy) → fired; (time is up, busy) → waiting anew; → (dispose) → ended.
 */
export class IdleTimer {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #isBusy: () => Promise<boolean>;
  readonly #onIdle: () => void;
  #lastMs: number;
  #cancel: (() => void) | undefined;

  /** `timeoutMs` 0: never. */
  constructor(clock: Clock, timeoutMs: number, isBusy: () => Promise<boolean>, onIdle: () => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#isBusy = isBusy;
    this.#onIdle = onIdle;
    this.#lastMs = clock.monotonic();
    if (timeoutMs > 0) this.#arm(timeoutMs);
  }

  touch(): void {
    this.#lastMs = this.#clock.monotonic();
  }

  dispose(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => void this.#check());
  }

  async #check(): Promise<void> {
    const armed = this.#cancel;
    const leftMs = (): number => this.#lastMs + this.#timeoutMs - this.#clock.monotonic();
    if (leftMs() <= 0 && (await this.#isBusy())) this.touch();
    if (this.#cancel !== armed) return;
    if (leftMs() > 0) this.#arm(leftMs());
    else this.#onIdle();
  }
}
