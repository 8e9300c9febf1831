import { SamovarError } from "./errors.ts";
import type { ScalingPatch } from "./options.ts";
import { show } from "./units.ts";

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

/**
 * Reads a change of scaling that came from elsewhere. Throws `invalid_option` with everything that is wrong. Fields that
 * aren't known are mistakes too: whoever sends them counts on what wouldn't happen.
 */
export function parseScalingPatch(value: unknown): ScalingPatch {
  if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Map || value instanceof Set)
    throw new SamovarError("invalid_option", `A change of scaling is ${show(value)}, but it takes an object of ${Object.keys(FIELDS).join(", ")}`);
  const mistakes: string[] = [];
  const patch: Record<string, number | null> = {};
  for (const [key, field] of Object.entries(value as Record<string, unknown>)) {
    if (field === undefined) continue;
    if (!Object.hasOwn(FIELDS, key)) {
      mistakes.push(`Unknown option ${JSON.stringify(key)}: scaling has ${Object.keys(FIELDS).join(", ")}`);
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
