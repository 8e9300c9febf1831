import { findNear, sortByNearness } from "@samovar/kit";

/** The known word that is nearest to what was typed, if one is near enough to be meant. */
export function findNearest(typed: string, known: Iterable<string>): string | undefined {
  return findNear(typed, known)[0];
}

/** `: did you mean "cpu"?`, or at least which known word is nearest. */
export function hintNearest(typed: string, known: readonly string[]): string {
  const near = findNearest(typed, known);
  if (near !== undefined) return `: did you mean "${near}"?`;
  const word = sortByNearness(typed, known)[0];
  return word === undefined ? "" : `: the nearest known one is "${word}"`;
}
