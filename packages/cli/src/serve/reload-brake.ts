import type { Clock } from "@samovar/kit";

const MAX_RELOADS = 10;
const WITHIN_MS = 10_000;

export type Verdict = { readonly reload: boolean; readonly tooOften?: readonly string[] };

/**
 * Ends the circle in which every reload has something write a file that is reloaded for: a log that lies beside the
 * module, for instance. Files that alone led to ten reloads within ten seconds lead to none any more; what they hold
 * travels with the next change of anything else. An edit of the code itself always counts.
 */
export class ReloadBrake {
  readonly #clock: Clock;
  readonly #muted = new Set<string>();
  #reloads: { readonly atMs: number; readonly files: readonly string[] }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `files`: what changed since the last reload. `isCode`: the bundle did too. */
  judge(files: readonly string[], isCode: boolean): Verdict {
    if (isCode) {
      this.#reloads = [];
      return { reload: true };
    }
    if (files.every((file) => this.#muted.has(file))) return { reload: false };
    const atMs = this.#clock.monotonic();
    this.#reloads = [...this.#reloads.filter((one) => atMs - one.atMs < WITHIN_MS), { atMs, files }];
    if (this.#reloads.length <= MAX_RELOADS) return { reload: true };
    const tooOften = [...new Set(this.#reloads.flatMap((one) => one.files))].filter((file) => !this.#muted.has(file));
    for (const file of tooOften) this.#muted.add(file);
    this.#reloads = [];
    return { reload: false, tooOften };
  }
}
