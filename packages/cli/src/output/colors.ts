const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], magenta: [35, 39], cyan: [36, 39] } as const;

export type ColorName = keyof typeof CODES;
/** Wraps text in a colour, or leaves it as it is where colours are off. */
export type Colors = Readonly<Record<ColorName, (text: string) => string>> & { readonly enabled: boolean };

export function createColors(enabled: boolean): Colors {
  const paint = (name: ColorName) => {
    const [on, off] = CODES[name];
    return enabled ? (text: string) => (text === "" ? "" : `\u001b[${on}m${text}\u001b[${off}m`) : (text: string) => text;
  };
  const entries = (Object.keys(CODES) as ColorName[]).map((name) => [name, paint(name)]);
  return { ...Object.fromEntries(entries), enabled } as Colors;
}

const NAME_COLORS = ["cyan", "magenta", "green", "blue", "yellow"] as const;

/** The same name always has the same colour. */
export function colorOfName(name: string): ColorName {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
  return NAME_COLORS[hash % NAME_COLORS.length]!;
}
