const BARS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/** One bar for each value, scaled from the least to the greatest. */
export function moodLine(values: readonly number[]): string {
  const least = Math.min(...values);
  const range = Math.max(...values) - least;
  return values.map((value) => BARS[range === 0 ? 0 : Math.round(((value - least) / range) * (BARS.length - 1))]).join("");
}
