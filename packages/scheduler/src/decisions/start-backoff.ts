/** After how many failed starts in a row a pool answers at once, instead of letting its inputs wait. */
export const FAILURES_UNTIL_FAILING = 3;

/** The wait before the next try after so many failed starts in a row: 1, 2, 4 … 60 s. */
export function startBackoffMs(failures: number): number {
  return Math.min(60_000, 1_000 * 2 ** (Math.max(1, failures) - 1));
}
