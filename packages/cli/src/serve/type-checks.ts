import { typeCheck, type TypeCheckResult } from "@samovar/bundler";
import { sdkEntry } from "../app/sdk-entry.ts";

/**
 * Checks types beside the builds, one check at a time: a newer one ends the older, whose result would be of code
 * that is gone. Told are mistakes, and that they are gone.
 */
export class TypeChecks {
  readonly #file: string;
  readonly #color: boolean;
  readonly #tell: (result: TypeCheckResult | { readonly failed: unknown }) => void;
  #running: AbortController | undefined;
  /** Settles when the last check has left nothing behind. */
  #settled: Promise<void> = Promise.resolve();
  #hadMistakes = false;

  constructor(file: string, color: boolean, tell: (result: TypeCheckResult | { readonly failed: unknown }) => void) {
    this.#file = file;
    this.#color = color;
    this.#tell = tell;
  }

  start(): void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#settled = typeCheck({ file: this.#file, sdkEntry: sdkEntry(), signal: running.signal, color: this.#color }).then(
      (result) => {
        if (running.signal.aborted) return;
        if (!result.ok || this.#hadMistakes) this.#tell(result);
        this.#hadMistakes = !result.ok;
      },
      (failed: unknown) => {
        if (!running.signal.aborted) this.#tell({ failed });
      },
    );
  }

  /** Resolves when the check that runs now has told what it found. Never rejects. */
  settled(): Promise<void> {
    return this.#settled;
  }

  dispose(): Promise<void> {
    this.#running?.abort();
    return this.#settled;
  }
}
