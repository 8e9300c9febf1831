import { findNearest } from "./nearest.ts";
import { WrongValue } from "./parse-values.ts";

/** Reads one field; throws `WrongValue`. */
type FieldReader = (value: unknown, name: string) => void;

/**
 * Reads an option that is an object, field by field. All that is wrong in it is told together, and mended where it
 * was found, so that the corrected code is right as a whole. `required`: fields that must be there, with an example of each.
 */
export function readFields(
  value: Readonly<Record<string, unknown>>,
  name: string,
  readers: Readonly<Record<string, FieldReader>>,
  required: Readonly<Record<string, unknown>> = {},
): void {
  const messages: string[] = [];
  const mended: Record<string, unknown> = {};
  const read = (key: string, field: unknown, tell: boolean): void => {
    try {
      readers[key]!(field, `${name}.${key}`);
      mended[key] = field;
    } catch (error) {
      if (!(error instanceof WrongValue)) throw error;
      if (tell) messages.push(...error.messages);
      if (error.instead !== undefined) mended[key] = error.instead;
    }
  };
  const known = Object.keys(readers);
  for (const [key, field] of Object.entries(value)) {
    if (field === undefined) continue;
    if (Object.hasOwn(readers, key)) {
      read(key, field, true);
      continue;
    }
    const nearest = findNearest(key, known);
    messages.push(`Unknown option "${name}.${key}"${nearest ? `: did you mean "${nearest}"?` : `: it has ${known.join(", ")}`}`);
    if (nearest !== undefined && value[nearest] === undefined) read(nearest, field, false);
  }
  for (const [key, example] of Object.entries(required)) {
    if (value[key] === undefined && mended[key] === undefined) messages.push(`${name} lacks ${key}`);
    mended[key] ??= example;
  }
  if (messages.length > 0) throw new WrongValue(messages, Object.keys(mended).length > 0 ? mended : undefined);
}
