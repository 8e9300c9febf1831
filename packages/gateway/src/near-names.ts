import { findNear } from "@samovar/kit";

const MAX_NEAR = 3;

/** The names that a typing mistake may have meant, nearest first. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  return findNear(wanted, [...names].toSorted()).slice(0, MAX_NEAR);
}

/** `. Near: "a", "b"`, or what there is when nothing is near and it is little enough to list. */
export function describeNear(wanted: string, names: readonly string[], what: string): string {
  const near = nearNames(wanted, names);
  if (near.length > 0) return `. Did you mean ${near.map((name) => `"${name}"`).join(", ")}?`;
  if (names.length === 0) return `. There are no ${what}`;
  const listed = [...new Set(names)].toSorted();
  return listed.length <= 10 ? `. There are: ${listed.join(", ")}` : `. There are ${listed.length} ${what}`;
}
