/** Least, middle and greatest of several rounds. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** The value below which the share `p` (0 to 1) of all values lie, between two of them in proportion. Throws for no values. */
export function percentile(values: Iterable<number>, p: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) throw new RangeError("No values: there is no percentile of nothing");
  const at = (sorted.length - 1) * p;
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}

export function toSpread(values: readonly number[]): Spread {
  return { min: percentile(values, 0), median: percentile(values, 0.5), max: percentile(values, 1) };
}

/**
 * Compares two targets round by round, as they were measured side by side: what the machine did meanwhile struck
 * both, so it goes out of each round's ratio, though not out of the figures.
 */
export function compareRounds(ours: readonly number[], theirs: readonly number[], compare: (ours: number, theirs: number) => number): Spread {
  if (ours.length !== theirs.length) throw new RangeError(`The rounds are not pairs: ${ours.length} and ${theirs.length}`);
  return toSpread(ours.map((value, round) => compare(value, theirs[round]!)));
}

export const ratio = (ours: number, theirs: number): number => ours / theirs;
export const difference = (ours: number, theirs: number): number => ours - theirs;
