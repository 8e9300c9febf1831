import { SamovarError } from "./errors.ts";
import type { ScalingPatch } from "./options.ts";
import { parseDuration, show, type Duration } from "./units.ts";

/** A change as people write it: the window also as `scaledownWindow`, seconds or a string such as "5m"; -1 is never. */
export interface ScalingRequest extends ScalingPatch {
  readonly scaledownWindow?: Duration;
}

interface Field {
  readonly least: number;
  /** Null has a meaning of its own. */
  readonly orNull?: true;
}

const FIELDS: Readonly<Record<keyof ScalingPatch, Field>> = {
  minContainers: { least: 0 },
  maxContainers: { least: 1, orNull: true },
  bufferContainers: { least: 0 },
  scaledownWindowMs: { least: 2_000, orNull: true },
  tasksPerContainer: { least: 0 },
};

const WINDOW = "scaledownWindow";
const NAMES = Object.keys(FIELDS)
  .flatMap((name) => (name === "scaledownWindowMs" ? [WINDOW, name] : [name]))
  .join(", ");

/**
 * Reads a change of scaling that came from elsewhere. Throws `invalid_option` with everything that is wrong. Fields that
 * aren't known are mistakes too: whoever sends them counts on what wouldn't happen.
 */
export function parseScalingPatch(value: unknown): ScalingPatch {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Map || value instanceof Set)
    throw new SamovarError("invalid_option", `A change of scaling is ${show(value)}, but it takes an object of ${NAMES}`);
  const mistakes: string[] = [];
  const patch: Record<string, number | null> = {};
  for (const [key, field] of Object.entries(value as Record<string, unknown>)) {
    if (field === undefined) continue;
    if (key === WINDOW) {
      const windowMs = readWindow(field);
      if (windowMs === undefined) mistakes.push(`${WINDOW} is ${show(field)}, but it takes seconds or a string such as "5m", at least 2 s, or -1 for never`);
      else patch.scaledownWindowMs = windowMs;
      if ((value as ScalingPatch).scaledownWindowMs !== undefined) mistakes.push(`${WINDOW} and scaledownWindowMs are the same option: give one of them`);
      continue;
    }
    if (!Object.hasOwn(FIELDS, key)) {
      mistakes.push(`Unknown option ${JSON.stringify(key)}: scaling has ${NAMES}`);
      continue;
    }
    const { least, orNull = false } = FIELDS[key as keyof ScalingPatch];
    if ((field === null && orNull) || (typeof field === "number" && Number.isSafeInteger(field) && field >= least)) patch[key] = field;
    else mistakes.push(`${key} is ${show(field)}, but it takes a whole number, ${least} or more${orNull ? ", or null" : ""}`);
  }
  const { minContainers, maxContainers } = patch as ScalingPatch;
  if (minContainers !== undefined && typeof maxContainers === "number" && minContainers > maxContainers)
    mistakes.push(`minContainers (${minContainers}) is above maxContainers (${maxContainers})`);
  if (mistakes.length > 0) throw new SamovarError("invalid_option", mistakes.join("; "), { fields: { mistakes } });
  return patch;
}

/** Milliseconds; null is never, undefined is no window. */
function readWindow(value: unknown): number | null | undefined {
  if (value === -1 || value === "-1") return null;
  try {
    const ms = parseDuration(value, WINDOW);
    return Number.isSafeInteger(ms) && ms >= FIELDS.scaledownWindowMs.least ? ms : undefined;
  } catch {
    return undefined;
  }
}
