import { SamovarError, type ErrorCode } from "@samovar/protocol";
import { findSite } from "../call-site.ts";

export type RawOptions = Readonly<Record<string, unknown>>;

/** One thing wrong with a definition, and how its options look once it is mended. */
export interface Mistake {
  readonly message: string;
  /** Mends the options in place, for the corrected code that the error shows. */
  readonly mend?: (options: Record<string, unknown>) => void;
  /** The corrected code where it is not the options that change, such as a method of a class. */
  readonly write?: string;
}

/** How a definition is written, for the corrected code: `render` gets the mended options as text. */
export interface CodeShape {
  /** Such as `endpoint` or `app.cls(Model)`. */
  readonly subject: string;
  readonly render: (options: string) => string;
  /** Where it is written, if that is known better than by the stack. */
  readonly site?: () => string;
}

/**
 * Throws one error with everything that is wrong, and the code as it should be. `entry` is the public function that
 * was called: the stack begins where the user called it.
 */
export function throwMistakes(mistakes: readonly Mistake[], options: RawOptions, shape: CodeShape, entry?: Function, code: ErrorCode = "invalid_option"): void {
  if (mistakes.length === 0) return;
  const mended: Record<string, unknown> = { ...options };
  for (const mistake of mistakes) mistake.mend?.(mended);
  const lines = mistakes.flatMap(({ write }) => write ?? []);
  if (lines.length === 0 || mistakes.some(({ mend }) => mend)) lines.push(shape.render(formatOptions(mended)));
  const site = (shape.site ?? (entry && findSite(entry)))?.();
  const subject = site ? `${shape.subject} at ${site}` : shape.subject;
  const head =
    mistakes.length === 1
      ? `${subject}: ${mistakes[0]!.message}`
      : `${subject} has ${mistakes.length} mistakes:\n${mistakes.map((mistake) => `  - ${mistake.message}`).join("\n")}`;
  const error = new SamovarError(code, `${head}\nWrite:\n  ${lines.join("\n  ")}`, {
    fields: { mistakes: mistakes.map((mistake) => mistake.message) },
  });
  if (entry) Error.captureStackTrace(error, entry);
  throw error;
}

/** Options as one would write them; what has no short form is `…`. */
export function formatOptions(options: RawOptions): string {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return "{}";
  return `{ ${entries.map(([key, value]) => (typeof value === "function" ? `${formatKey(key)}: …` : `${formatKey(key)}: ${formatValue(value, 0)}`)).join(", ")} }`;
}

function formatValue(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  if (typeof value === "function") return value.name && depth > 0 ? value.name : "…";
  if (typeof value !== "object" || depth > 3) return "…";
  if (Array.isArray(value)) return `[${value.map((item) => formatValue(item, depth + 1)).join(", ")}]`;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && prototype !== Object.prototype) {
    const options = (value as { options?: unknown }).options;
    return value.constructor.name === "QueueDepthAutoscaler" ? `new QueueDepthAutoscaler(${formatValue(options, depth + 1)})` : "…";
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return entries.length ? `{ ${entries.map(([key, item]) => `${formatKey(key)}: ${formatValue(item, depth + 1)}`).join(", ")} }` : "{}";
}

const formatKey = (key: string): string => (/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key));
