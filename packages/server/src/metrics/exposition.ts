export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels?: Labels;
  /** How many were at most `bounds[i]` and above the one before; the last counts those above all. */
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

export type Family =
  | { readonly name: string; readonly help: string; readonly type: "counter" | "gauge"; readonly samples: readonly Sample[] }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: "histogram";
      readonly bounds: readonly number[];
      readonly samples: readonly HistogramSample[];
    };

/** Families as Prometheus reads them: its text format 0.0.4. One without samples is left out. */
export function encodeFamilies(families: readonly Family[]): string {
  let text = "";
  for (const family of families) {
    if (family.samples.length === 0) continue;
    text += `# HELP ${family.name} ${family.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${family.name} ${family.type}\n`;
    if (family.type === "histogram") for (const sample of family.samples) text += encodeHistogram(family.name, family.bounds, sample);
    else for (const { labels, value } of family.samples) text += encodeLine(family.name, encodeLabels(labels), value);
  }
  return text;
}

/** Prometheus wants buckets that count all below, with `+Inf` as the last. */
function encodeHistogram(name: string, bounds: readonly number[], { labels, counts, sum }: HistogramSample): string {
  const own = encodeLabels(labels);
  let below = 0;
  let text = "";
  for (let i = 0; i <= bounds.length; i++) {
    below += counts[i]!;
    const bound = i === bounds.length ? "+Inf" : String(bounds[i]);
    text += encodeLine(`${name}_bucket`, own === "" ? `le="${bound}"` : `${own},le="${bound}"`, below);
  }
  return text + encodeLine(`${name}_sum`, own, sum) + encodeLine(`${name}_count`, own, below);
}

function encodeLabels(labels: Labels | undefined): string {
  if (!labels) return "";
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"')}"`)
    .join(",");
}

function encodeLine(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${encodeNumber(value)}\n`;
}

function encodeNumber(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
