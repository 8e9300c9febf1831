/** The one kind of job that all systems do: nothing, with an input of about 100 bytes. */
export interface Job {
  readonly seq: number;
  /** When it was put, where its way to the handler is measured; else 0. */
  readonly probedUs: number;
  /** Holds its slot until then; 0: does nothing and ends. */
  readonly holdUntilUs: number;
  readonly url: string;
}

export interface JobResult {
  readonly seq: number;
  readonly ok: true;
}

/** What a worker has seen since it was last asked. */
export interface JobReport {
  readonly runs: number;
  /** Jobs that are not others again. */
  readonly distinct: number;
  /** Of the jobs that were probes: from the call of the producer to the first line of the handler. */
  readonly latenciesUs: readonly number[];
}

/**
 * CLOCK_MONOTONIC, which on Linux is one for all processes of the machine, those in containers included (no driver of
 * ours gives them a time namespace). Exact to a microsecond for 285 years of uptime.
 */
export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

export function toJob(seq: number, { isProbe = false, holdUntilUs = 0 }: { readonly isProbe?: boolean; readonly holdUntilUs?: number } = {}): Job {
  return { seq, probedUs: isProbe ? nowUs() : 0, holdUntilUs, url: `https://example.com/pictures/${seq}/original.png` };
}

/** Does the jobs of one worker and counts them. */
export class JobRunner {
  #runs = 0;
  #seen = new Set<number>();
  #latenciesUs: number[] = [];
  #heldUntilUs = 0;
  #waiting: { readonly runs: number; readonly resolve: () => void } | null = null;

  async run({ seq, probedUs, holdUntilUs }: Job): Promise<JobResult> {
    const startedUs = nowUs();
    if (probedUs > 0) this.#latenciesUs.push(startedUs - probedUs);
    this.#seen.add(seq);
    if (holdUntilUs > 0) await this.#hold(holdUntilUs, startedUs);
    this.#runs++;
    if (this.#waiting && this.#runs >= this.#waiting.runs) this.#waiting.resolve();
    return { seq, ok: true };
  }

  /** What was done before jobs held all slots is not what is measured after it: the first of them that ends begins anew. */
  async #hold(untilUs: number, startedUs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, (untilUs - startedUs) / 1_000));
    if (this.#heldUntilUs === untilUs) return;
    this.#heldUntilUs = untilUs;
    this.#runs = 0;
  }

  /** Resolves when so many have been done since the last report. */
  async untilRun(runs: number): Promise<void> {
    if (this.#runs >= runs) return;
    await new Promise<void>((resolve) => (this.#waiting = { runs, resolve }));
    this.#waiting = null;
  }

  report(): JobReport {
    const report = { runs: this.#runs, distinct: this.#seen.size, latenciesUs: this.#latenciesUs };
    this.#runs = 0;
    this.#seen = new Set();
    this.#latenciesUs = [];
    return report;
  }
}
