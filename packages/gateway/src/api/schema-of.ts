import { z } from "zod";
import { describeNameProblem } from "@samovar/protocol";

/**
 * The bodies of the control API as schemas. Each is held against its type in the protocol, both ways: a field
 * that is added there and not here, or the other way round, doesn't compile.
 */
type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T;

export const schemaOf =
  <T>() =>
  <S extends z.ZodType<T>>(schema: [T] extends [Immutable<z.output<S>>] ? S : never): S =>
    schema;

export const count = z.int().nonnegative();
export const durationMs = z.number().nonnegative();
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256, 64 hex digits in lower case");
export const functionKind = z.enum(["endpoint", "function", "taskqueue", "schedule", "cls"]);
export const jsonObject = z.record(z.string(), z.unknown());

/** Of an app or a function. */
export const resourceName = z.string().superRefine((name, context) => {
  const problem = describeNameProblem(name);
  if (problem !== undefined) context.addIssue(problem);
});
