import { z } from "zod";
import { describeNear } from "@samovar/kit";
import { show } from "@samovar/protocol";

/** Where something is wrong, and what, in words that follow the path: `tasks.0.ttl: must be at least 1`. */
export interface Issue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What is wrong with a value that this schema refused, as its reader may mend it. */
export function toIssues(error: z.ZodError, schema: z.ZodType, value: unknown): Issue[] {
  return error.issues.map((issue) => {
    const path = issue.path.map((key) => (typeof key === "number" ? key : String(key)));
    return { path, message: describeIssue(issue, schemaAt(schema, path), valueAt(value, path)) };
  });
}

/** `schema` and `value` are those at the issue's path. */
export function describeIssue(issue: z.core.$ZodIssue, schema: z.core.$ZodType | undefined, value: unknown): string {
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => describeUnknownKey(key, schema)).join("; ");
    case "invalid_type":
      return value === undefined ? `is missing: it must be ${typeName(issue.expected)}` : `must be ${typeName(issue.expected)}, but is ${show(value)}`;
    case "too_small":
      return `must ${issue.inclusive === false ? `${amount(issue.origin)} more than ${issue.minimum}` : `${amount(issue.origin)} at least ${issue.minimum}`}${unitOf(issue.origin, issue.minimum)}`;
    case "too_big":
      return `must ${issue.inclusive === false ? `${amount(issue.origin)} less than ${issue.maximum}` : `${amount(issue.origin)} at most ${issue.maximum}`}${unitOf(issue.origin, issue.maximum)}`;
    case "invalid_value":
      return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.map(String).join(", ")}, but is ${show(value)}`;
    default:
      return issue.message;
  }
}

function describeUnknownKey(key: string, schema: z.core.$ZodType | undefined): string {
  const fields = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return fields.length === 0 ? `has no field ${show(key)}` : `has no field ${show(key)}${describeNear(key, fields, "fields")}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

const typeName = (expected: string): string => TYPE_NAMES[expected] ?? expected;

const amount = (origin: string): string => (origin === "string" || origin === "array" ? "have" : "be");

function unitOf(origin: string, count: number | bigint): string {
  if (origin !== "string" && origin !== "array") return "";
  return `${origin === "string" ? " character" : " item"}${Number(count) === 1 ? "" : "s"}`;
}

/** What stands around a schema says nothing about its fields. */
function bare(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodExactOptional || schema instanceof z.ZodNullable) return bare(schema.unwrap());
  return schema instanceof z.ZodPipe ? bare(schema.in) : schema;
}

function schemaAt(schema: z.core.$ZodType, path: Issue["path"]): z.core.$ZodType | undefined {
  let at = bare(schema);
  for (const key of path) {
    if (at instanceof z.ZodObject) at = bare(at.shape[key] as z.core.$ZodType | undefined);
    else if (at instanceof z.ZodArray) at = bare(at.element);
    else return undefined;
  }
  return at;
}

function valueAt(value: unknown, path: Issue["path"]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}
