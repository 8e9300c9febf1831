import type { Spread } from "./statistics.ts";

/** What one measurement found: figures of each target, the figure that is judged, and the judgement. */
export interface Finding {
  readonly id: string;
  readonly title: string;
  /** Empty for plain numbers. */
  readonly unit: "calls/s" | "jobs/s" | "ms" | "µs" | "MB" | "";
  /** By target, over the rounds. `samovar` is always one of them. */
  readonly figures: Readonly<Record<string, Spread>>;
  /** What is held against the aim: a ratio or a difference within each round, or the figure itself. */
  readonly judged: { readonly what: string; readonly spread: Spread } | null;
  readonly aim: Aim | null;
}

export interface Aim {
  readonly at: "least" | "most";
  readonly value: number;
}

export type Verdict = "met" | "missed" | "";

/** By the median: the spread tells how far to trust it. */
export function judge({ judged, aim }: Pick<Finding, "judged" | "aim">): Verdict {
  if (!judged || !aim) return "";
  const { median } = judged.spread;
  return (aim.at === "least" ? median >= aim.value : median <= aim.value) ? "met" : "missed";
}
