import { SamovarError, parseDuration, show } from "@samovar/protocol";

/** An option's value is wrong, maybe in several places; `instead` is what the corrected code shows in its place (undefined: leave it out). */
export class WrongValue extends Error {
  readonly messages: readonly string[];
  readonly instead: unknown;

  constructor(messages: string | readonly string[], instead?: unknown) {
    const list = typeof messages === "string" ? [messages] : messages;
    super(list.join("; "));
    this.messages = list;
    this.instead = instead;
  }
}

export const SECOND_MS = 1_000;
export const DAY_MS = 86_400_000;
export const YEAR_MS = 365 * DAY_MS;

export interface DurationRange {
  readonly minMs: number;
  readonly maxMs: number;
  /** What -1 stands for, if it is allowed. */
  readonly never?: string;
}

/** Milliseconds in a range; null for -1 where the range allows it. */
export function durationIn(value: unknown, what: string, range: DurationRange): number | null {
  const ms = parseOr(() => parseDuration(value, what));
  if (range.never !== undefined && isMinusOne(value)) return null;
  if (ms >= range.minMs && ms <= range.maxMs) return ms;
  const takes = range.maxMs === Infinity ? `${formatMs(range.minMs)} or longer` : `${formatMs(range.minMs)} to ${formatMs(range.maxMs)}`;
  throw new WrongValue(
    `${what} is ${show(value)}, but it takes ${takes}${range.never === undefined ? "" : `, or -1 for ${range.never}`}`,
    formatMs(ms < range.minMs ? range.minMs : range.maxMs).replace(" ", ""),
  );
}

/** -1 is never an amount of time, whatever its spelling. */
const isMinusOne = (value: unknown): boolean => value === -1 || value === "-1";

export function integerIn(value: unknown, what: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const takes = max === Number.MAX_SAFE_INTEGER ? `a whole number, ${min} or more` : `a whole number from ${min} to ${max}`;
  const instead = typeof value === "number" && Number.isFinite(value) ? Math.min(max, Math.max(min, Math.round(value))) : min;
  throw new WrongValue(`${what} is ${show(value)}, but it takes ${takes}`, instead);
}

export function boolean(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw new WrongValue(`${what} is ${show(value)}, but it takes true or false`, Boolean(value));
}

/** Runs a parser of the protocol's, whose errors become mistakes among others. */
export function parseOr<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SamovarError) throw new WrongValue(error.message);
    throw error;
  }
}

export const isPlainObject = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
};

function formatMs(ms: number): string {
  if (ms >= 2 * DAY_MS && ms % DAY_MS === 0) return `${ms / DAY_MS} d`;
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}
