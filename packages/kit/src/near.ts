/** The names that a typing mistake may have meant, nearest first. Case says nothing. */
export function findNear(wanted: string, names: Iterable<string>): string[] {
  const allowed = wanted.length <= 3 ? 1 : Math.max(2, Math.floor(wanted.length / 3));
  return rank(wanted, names, allowed).flatMap(({ name, distance }) => (distance <= allowed ? [name] : []));
}

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

/** All names, nearest first; those that are equally far keep their order. */
export function sortByNearness(wanted: string, names: Iterable<string>): string[] {
  return rank(wanted, names, Infinity).map(({ name }) => name);
}

function rank(wanted: string, names: Iterable<string>, limit: number): { readonly name: string; readonly distance: number }[] {
  const asked = wanted.toLowerCase();
  return [...new Set(names)]
    .map((name) => {
      const known = name.toLowerCase();
      const distance = editDistance(asked, known, limit);
      // What was left out or added at the end (keepWarm, maxRetryCount) is a likelier mistake than its length says.
      return { name, distance: startsAlike(asked, known) ? Math.min(distance, 2, limit) : distance };
    })
    .sort((a, b) => a.distance - b.distance);
}

/** One is the beginning of the other, and says enough to mean it. */
const startsAlike = (a: string, b: string): boolean => Math.min(a.length, b.length) > 2 && (a.startsWith(b) || b.startsWith(a));

/**
 * Insertions, deletions, replacements and swaps of neighbours that turn one into the other. Given up where the
 * lengths alone are more than `limit` apart: a request must not buy much work with a long name.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
