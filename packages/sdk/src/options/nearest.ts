/** The known word that is nearest to what was typed, if one is near enough to be meant. */
export function findNearest(typed: string, known: Iterable<string>): string | undefined {
  const { word, distance } = rankNearest(typed, known);
  return distance <= Math.max(2, Math.floor(typed.length / 2)) ? word : undefined;
}

/** `: did you mean "cpu"?`, or at least which known word is nearest. */
export function hintNearest(typed: string, known: readonly string[]): string {
  const near = findNearest(typed, known);
  if (near !== undefined) return `: did you mean "${near}"?`;
  const { word } = rankNearest(typed, known);
  return word === undefined ? "" : `: the nearest known one is "${word}"`;
}

function rankNearest(typed: string, known: Iterable<string>): { word: string | undefined; distance: number } {
  let best: { word: string | undefined; distance: number } = { word: undefined, distance: Infinity };
  for (const word of known) {
    const [a, b] = [typed.toLowerCase(), word.toLowerCase()];
    // What was left out or added at one end (keepWarm, maxRetryCount) is a likelier mistake than its length says.
    const distance = Math.min(editDistance(a, b), a.length >= 3 && (b.startsWith(a) || a.startsWith(b)) ? 2 : Infinity);
    if (distance < best.distance) best = { word, distance };
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(row[j - 1]! + 1, previous[j]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    previous = row;
  }
  return previous[b.length]!;
}
