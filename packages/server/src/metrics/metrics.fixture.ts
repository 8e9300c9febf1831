export interface ScrapedFamily {
  readonly type: string;
  /** By name without the family's, and labels: `_bucket{app="a",le="1"}`. */
  readonly samples: ReadonlyMap<string, number>;
}

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.*)$/;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]\d+)?)$/;
const LABEL = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/;
const SUFFIXES: Readonly<Record<string, readonly string[]>> = { counter: [""], gauge: [""], histogram: ["_bucket", "_sum", "_count"] };

/**
 * Reads the text format 0.0.4 as strictly as Prometheus does: a family's lines stand together below its help and type, no line
 * is there twice, buckets never fall, have `+Inf` as their last and agree with the count.
 */
export function parseScrape(body: string): ReadonlyMap<string, ScrapedFamily> {
  if (!body.endsWith("\n")) throw new Error("The last line has no end");
  const families = new Map<string, { type: string; samples: Map<string, number> }>();
  let current = "";
  for (const line of body.slice(0, -1).split("\n")) {
    const comment = COMMENT.exec(line);
    if (comment) {
      const [, kind, name, text] = comment;
      if (kind === "HELP" && families.has(name!)) throw new Error(`${name} is there twice`);
      if (kind === "HELP") families.set((current = name!), { type: "", samples: new Map() });
      else if (name !== current || !Object.hasOwn(SUFFIXES, text!)) throw new Error(`Not the type of ${current}: ${line}`);
      else families.get(name)!.type = text!;
      continue;
    }
    const [, name, labels = "", value] = SAMPLE.exec(line) ?? [];
    if (name === undefined) throw new Error(`Not a line: ${line}`);
    const { type, samples } = families.get(current) ?? { type: "", samples: new Map<string, number>() };
    const suffix = name.slice(current.length);
    if (!name.startsWith(current) || !SUFFIXES[type]?.includes(suffix)) throw new Error(`${line} stands below ${current}, a ${type}`);
    const key = labels === "" ? suffix : `${suffix}{${assertLabels(labels)}}`;
    if (samples.has(key)) throw new Error(`${current}${key} is there twice`);
    samples.set(key, Number(value!.replace("Inf", "Infinity")));
  }
  for (const [name, { type, samples }] of families) if (type === "histogram") assertBuckets(name, samples);
  return families;
}

function assertLabels(labels: string): string {
  const seen = new Set<string>();
  for (let rest = labels; rest !== "";) {
    const label = LABEL.exec(rest);
    if (!label || seen.has(label[1]!)) throw new Error(`Not labels: ${labels}`);
    seen.add(label[1]!);
    rest = rest.slice(label[0].length);
  }
  return labels;
}

function assertBuckets(name: string, samples: ReadonlyMap<string, number>): void {
  for (const [key, count] of samples) {
    if (!key.startsWith("_count")) continue;
    const own = key.slice("_count".length).replace(/^\{|\}$/g, "");
    const prefix = own === "" ? '_bucket{le="' : `_bucket{${own},le="`;
    const buckets = [...samples].filter(([bucket]) => bucket.startsWith(prefix));
    const bounds = buckets.map(([bucket]) => Number(bucket.slice(prefix.length, -2).replace("Inf", "Infinity")));
    const counts = buckets.map(([, value]) => value);
    const rises = (values: readonly number[]): boolean => values.every((value, i) => i === 0 || value >= values[i - 1]!);
    if (!rises(bounds) || !rises(counts) || bounds.at(-1) !== Infinity || counts.at(-1) !== count) throw new Error(`${name}${key} has other buckets`);
  }
}

/** A family's samples; of a histogram its counts. */
export function valuesOf(families: ReadonlyMap<string, ScrapedFamily>, name: string): Record<string, number> {
  const { type, samples } = families.get(name) ?? { type: "", samples: new Map<string, number>() };
  const wanted = type === "histogram" ? "_count" : "";
  const own = [...samples].filter(([key]) => (type === "histogram" ? key.startsWith(wanted) : true));
  return Object.fromEntries(
    own.map(([key, value]) => [
      key
        .slice(wanted.length)
        .replace(/^\{|\}$/g, "")
        .replaceAll('"', ""),
      value,
    ]),
  );
}

/** One of a histogram's parts, `sum` or `le=0.5`. */
export function partOf(families: ReadonlyMap<string, ScrapedFamily>, name: string, labels: string, part: string): number | undefined {
  const quoted = labels.replaceAll(/=([^,]*)/g, '="$1"');
  const key = part === "sum" ? `_sum{${quoted}}` : `_bucket{${quoted},le="${part.slice("le=".length)}"}`;
  return families.get(name)?.samples.get(key);
}
