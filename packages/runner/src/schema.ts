import { SamovarError, type SchemaIssue, type Validate, type ValidateResult } from "@samovar/protocol";
import { isThenable } from "./thenable.ts";

/** The value as the schema made it. Throws `invalid_input` or `invalid_output` with all issues. Sync if the schema is. */
export function validate(schema: Validate, value: unknown, code: "invalid_input" | "invalid_output"): unknown {
  const result = schema(value);
  return isThenable<ValidateResult>(result) ? result.then((settled) => unwrap(settled, code)) : unwrap(result, code);
}

function unwrap(result: ValidateResult, code: "invalid_input" | "invalid_output"): unknown {
  if (!result.issues) return result.value;
  const issues: SchemaIssue[] = result.issues.map((issue) => ({
    message: issue.message,
    ...(issue.path ? { path: issue.path.map((key) => toPlainKey(typeof key === "object" ? key.key : key)) } : {}),
  }));
  const what = code === "invalid_input" ? "The input" : "The result";
  const first = issues[0];
  const at = first?.path?.length ? ` at ${first.path.join(".")}` : "";
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  throw new SamovarError(code, `${what} fails the function's schema${at}: ${first?.message ?? "no reason given"}${more}`, { fields: { issues } });
}

const toPlainKey = (key: PropertyKey): string | number => (typeof key === "symbol" ? String(key) : key);
