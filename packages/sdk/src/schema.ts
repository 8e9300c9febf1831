import type { Validate } from "@samovar/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";

/** What the worker calls; null where there is no schema. */
export const toValidate = (schema: StandardSchemaV1 | undefined): Validate | null => (schema ? (value) => schema["~standard"].validate(value) : null);

type JsonSchema = Readonly<Record<string, unknown>>;

interface JsonSchemaSource {
  readonly "~standard"?: { readonly jsonSchema?: { input?(options: { target: string }): unknown; output?(options: { target: string }): unknown } };
  toJSONSchema?(options: { io: "input" | "output" }): unknown;
}

/**
 * JSON Schema of what callers send (`input`) or get (`output`), where the schema can tell: by the Standard JSON Schema
 * interface, or a `toJSONSchema` method. Null where it can't, because it is code that JSON Schema has no words for.
 */
export function toJsonSchema(schema: StandardSchemaV1 | undefined, side: "input" | "output"): JsonSchema | null {
  const source = schema as JsonSchemaSource | undefined;
  const standard = source?.["~standard"]?.jsonSchema?.[side];
  try {
    const told = standard ? standard({ target: "draft-2020-12" }) : source?.toJSONSchema?.({ io: side });
    return typeof told === "object" && told !== null ? (JSON.parse(JSON.stringify(told)) as JsonSchema) : null;
  } catch {
    // A schema that JSON Schema can't express says so by throwing; validation works all the same.
    return null;
  }
}
