const MAX_NEAR = 3;

/** The names that a typing mistake may have meant, nearest first. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  const asked = wanted.toLowerCase();
  const allowed = Math.max(2, Math.floor(asked.length / 3));
  const scored: { name: string; distance: number }[] = [];
  for (const name of new Set(names)) {
    const known = name.toLowerCase();
    const edits = editDistance(asked, known, allowed);
    const distance = edits > allowed && startsAlike(asked, known) ? allowed : edits;
    if (distance <= allowed) scored.push({ name, distance });
  }
  return scored
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, MAX_NEAR)
    .map(({ name }) => name);
}

/** `. Near: "a", "b"`, or what there is when nothing is near and it is little enough to list. */
export function describeNear(wanted: string, names: readonly string[], what: string): string {
  const near = nearNames(wanted, names);
  if (near.length > 0) return `. Did you mean ${near.map((name) => `"${name}"`).join(", ")}?`;
  if (names.length === 0) return `. There are no ${what}`;
  const listed = [...new Set(names)].toSorted();
  return listed.length <= 10 ? `. There are: ${listed.join(", ")}` : `. There are ${listed.length} ${what}`;
}

/** One is the beginning of the other, and says enough to mean it. */
const startsAlike = (a: string, b: string): boolean => Math.min(a.length, b.length) > 2 && (a.startsWith(b) || b.startsWith(a));

/** Levenshtein's, given up above `limit`: a request must not buy much work with a long name. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      current[j] = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
