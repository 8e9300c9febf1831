/** How much a measurement does: `npm run bench` in full, or `--quick`. */
export interface Scope {
  readonly rounds: number;
  readonly loadMs: number;
  readonly coldStarts: number;
  readonly edits: number;
  readonly deploys: number;
  /** Rounds of all task systems; jobs of a burst; jobs that wait before a queue is drained; measured one by one; that wait in a queue that is called full. */
  readonly tasks: { readonly rounds: number; readonly burst: number; readonly drain: number; readonly probes: number; readonly waiting: number };
}

export const FULL: Scope = Object.freeze({
  rounds: 7,
  loadMs: 2_000,
  coldStarts: 40,
  edits: 10,
  deploys: 20,
  tasks: { rounds: 5, burst: 10_000, drain: 100_000, probes: 200, waiting: 1_000_000 },
});
export const QUICK: Scope = Object.freeze({
  rounds: 3,
  loadMs: 700,
  coldStarts: 10,
  edits: 4,
  deploys: 5,
  tasks: { rounds: 3, burst: 3_000, drain: 10_000, probes: 50, waiting: 100_000 },
});
