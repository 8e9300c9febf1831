/** What NVIDIA's tools put before or behind the name that people use. */
const NOISE = /\b(?:NVIDIA|Tesla|Quadro|GeForce|Graphics Device|Generation|Blackwell|Server Edition|Workstation Edition|Max-Q)\b/g;

/** Sold with several amounts of memory, so that the name says which. */
const SIZED = /^(?:A100|A800|V100|P100)$/;

/** In order: the first that fits says the name. */
const RULES: readonly (readonly [pattern: RegExp, name: (match: RegExpExecArray) => string])[] = [
  [/^RTX PRO (\d{4})/, ([, model]) => `RTX-PRO-${model!}`],
  [/^RTX (A\d{4})/, ([, model]) => model!],
  [/^((?:RTX|GTX)) (\d{3,4})( Ada)?( Ti)?( SUPER)?( D)?( Laptop)?/i, ([, line, model, ...more]) => [`${line!}${model!}`, ...more.flatMap(toPart)].join("-")],
  [/^(GB?H?\d{1,3}|[A-Z]\d{1,4}[A-Z]?)\b(?:.*?\b(\d+) ?GB\b)?/, ([, model, sizeGb]) => (SIZED.test(model!) && sizeGb ? `${model!}-${sizeGb}GB` : model!)],
];

/**
 * The name by which people ask for a GPU, from the one its driver tells: `NVIDIA A100-SXM4-80GB` is `A100-80GB`, `Tesla T4` is
 * `T4`, `NVIDIA GeForce RTX 4090` is `RTX4090`. Names that aren't known stay what they are.
 */
export function toGpuName(productName: string): string {
  const known = productName.replace(NOISE, " ").replace(/\s+/g, " ").trim();
  for (const [pattern, name] of RULES) {
    const match = pattern.exec(known);
    if (match) return name(match);
  }
  return productName.trim();
}

/**
 * Whether a GPU of this name is what was asked for: in any case, by its short or its full name. One with a size in its
 * name is also meant by the name alone (`A100`), and `any` means each.
 */
export function matchesGpu(requested: string, name: string): boolean {
  const asked = toGpuName(requested.trim())
    .toLowerCase()
    // As some tools spell sizes: A100-80, A100-80G.
    .replace(/^([a-z]\d{3})-(\d+)g?$/, "$1-$2gb");
  const own = name.toLowerCase();
  return asked === "any" || asked === own || asked === own.replace(/-\d+gb$/, "");
}

const toPart = (part: string | undefined): string[] => (part === undefined ? [] : [part.trim()]);
