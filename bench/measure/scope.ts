/** How much a measurement does: `npm run bench` in full, or `--quick`. */
export interface Scope {
  readonly rounds: number;
  readonly loadMs: number;
  readonly coldStarts: number;
  readonly edits: number;
  readonly deploys: number;
}

export const FULL: Scope = Object.freeze({ rounds: 7, loadMs: 2_000, coldStarts: 40, edits: 10, deploys: 20 });
export const QUICK: Scope = Object.freeze({ rounds: 3, loadMs: 700, coldStarts: 10, edits: 4, deploys: 5 });
