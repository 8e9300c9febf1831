import { SamovarError } from "./errors.ts";

/** Seconds, or a number with a unit: `1.5`, `"500ms"`, `"30s"`, `"5m"`, `"24h"`, `"7d"`. */
export type Duration = number | `${number}` | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const MS_PER_UNIT = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Milliseconds of a public duration. `what` names the option in the error. */
export function parseDuration(value: unknown, what: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return Math.round(value * 1_000);
  if (typeof value === "string") {
    const match = /^(-?\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(value.trim());
    if (match) return Math.round(Number(match[1]) * MS_PER_UNIT[(match[2] ?? "s") as keyof typeof MS_PER_UNIT]);
  }
  throw new SamovarError(
    "invalid_option",
    `${what} is not a duration: ${show(value)}. Give seconds, or a number with ms, s, m, h or d, such as 1.5, "500ms" or "5m"`,
  );
}

const MIB_PER_UNIT: Record<string, number> = { Ki: 1 / 1024, Mi: 1, Gi: 1024, Ti: 1024 * 1024 };

/** Mebibytes of a public size, of memory or of what `noun` says: `512` (MiB), `"512Mi"`, `"1.5Gi"`. */
export function parseMemoryMib(value: unknown, what: string, noun = "a memory size"): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return Math.ceil(value);
  if (typeof value === "string") {
    const match = /^(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti)?$/.exec(value.trim());
    if (match && Number(match[1]) > 0) return Math.max(1, Math.ceil(Number(match[1]) * MIB_PER_UNIT[match[2] ?? "Mi"]!));
  }
  throw new SamovarError("invalid_option", `${what} is not ${noun}: ${show(value)}. Give MiB, or a number with Mi or Gi, such as 512, "512Mi" or "1.5Gi"`);
}

/** Thousandths of a core of a public cpu amount: `2`, `0.5`, `"500m"`. */
export function parseCpuMillis(value: unknown, what: string): number {
  if (typeof value === "number" && value > 0 && Number.isFinite(value)) return Math.max(1, Math.round(value * 1_000));
  if (typeof value === "string") {
    const match = /^(\d+(?:\.\d+)?)(m)?$/.exec(value.trim());
    if (match && Number(match[1]) > 0) return Math.max(1, Math.round(Number(match[1]) * (match[2] ? 1 : 1_000)));
  }
  throw new SamovarError("invalid_option", `${what} is not an amount of cpu: ${show(value)}. Give cores, or thousandths with m, such as 2, 0.5 or "500m"`);
}

const SHOWN_CHARACTERS = 80;

/** A value as an error message shows it: short, and never throwing. */
export function show(value: unknown): string {
  // Strings keep their closing quote.
  if (typeof value === "string" && value.length > SHOWN_CHARACTERS) return JSON.stringify(`${value.slice(0, SHOWN_CHARACTERS)}…`);
  let text: string;
  try {
    // JSON has no words for numbers such as NaN, and none for big ones.
    if (typeof value === "number") return String(value);
    if (typeof value === "bigint") return `${value}n`;
    text = typeof value === "function" ? `function ${value.name || "(anonymous)"}` : (JSON.stringify(value) ?? String(value));
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}
