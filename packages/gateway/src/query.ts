import { SamovarError, show } from "@samovar/protocol";
import type { FunctionEntry } from "@samovar/scheduler";

const NO_PARAMETERS: readonly unknown[] = Object.freeze([]);

/** A query as the input of a call: an object of strings, repeats an array. `except` names what is not the input's. */
export function parseQuery(query: string, except?: string): Record<string, string | string[]> {
  const result: Record<string, string | string[]> = {};
  if (query === "") return result;
  for (const [key, value] of readPairs(query)) {
    if (key === except) continue;
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    if (before === undefined) define(result, key, value);
    else if (Array.isArray(before)) before.push(value);
    else define(result, key, [before, value]);
  }
  return result;
}

/** The constructor arguments that a query gives a class; none for the others. */
export function readParameters(entry: FunctionEntry, query: string): readonly unknown[] {
  if (entry.manifest.kind !== "cls") return NO_PARAMETERS;
  const parameters = parseParameters(query);
  if (parameters === undefined && entry.manifest.requiresParameters) {
    throw new SamovarError(
      "invalid_request",
      `${entry.name} needs its constructor arguments: call it through .with(…), or give them as ?with=[…], a JSON array`,
    );
  }
  return parameters ?? NO_PARAMETERS;
}

/** The constructor arguments in `?with=[…]`; undefined when they are not given. */
function parseParameters(query: string): readonly unknown[] | undefined {
  if (!query.includes("with=")) return undefined;
  let text: string | undefined;
  for (const [key, value] of readPairs(query)) {
    if (key !== "with") continue;
    if (text !== undefined) throw new SamovarError("invalid_request", "The query has `with` twice: give one JSON array of constructor arguments");
    text = value;
  }
  if (text === undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new SamovarError(
      "invalid_request",
      `The query's \`with\` is not JSON: ${show(text)}. Give an array of constructor arguments, such as with=["large"]`,
    );
  }
  if (!Array.isArray(parsed))
    throw new SamovarError(
      "invalid_request",
      `The query's \`with\` is not an array: ${show(text)}. Give an array of constructor arguments, such as with=["large"]`,
    );
  return parsed;
}

function* readPairs(query: string): Iterable<[string, string]> {
  for (const part of query.split("&")) {
    if (part === "") continue;
    const at = part.indexOf("=");
    yield at < 0 ? [decode(part), ""] : [decode(part.slice(0, at)), decode(part.slice(at + 1))];
  }
}

function decode(text: string): string {
  try {
    return text.includes("%") || text.includes("+") ? decodeURIComponent(text.replaceAll("+", " ")) : text;
  } catch {
    throw new SamovarError("invalid_request", `The query has a malformed percent-encoding: ${show(text)}`);
  }
}

/** `__proto__` is a key like any other, and must not reach the prototype. */
function define(target: Record<string, string | string[]>, key: string, value: string | string[]): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}
