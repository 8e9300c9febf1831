export type JsonSchema = Readonly<Record<string, unknown>>;

/** Keywords whose value maps names to schemas: a name in there is not a keyword. */
const MAPS = new Set(["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]);
/** Keywords whose value is data, whatever it looks like. */
const DATA = new Set(["const", "enum", "default", "examples", "example"]);

/**
 * A user's schema as a part of a larger document: references to its own root (`#`, `#/$defs/…`) begin at `pointer`, where it
 * stands there. Its `$id` and `$schema` are left out, which would make it a document of its own.
 */
export function embedSchema(schema: JsonSchema, pointer: string): JsonSchema {
  const { $id: _id, $schema: _schema, ...rest } = schema;
  return embed(rest, pointer) as JsonSchema;
}

function embed(value: unknown, pointer: string): unknown {
  if (Array.isArray(value)) return value.map((item) => embed(item, pointer));
  if (typeof value !== "object" || value === null) return value;
  return mapValues(value, (inner, key) => {
    if ((key === "$ref" || key === "$dynamicRef") && typeof inner === "string") return /^#($|\/)/.test(inner) ? pointer + inner.slice(1) : inner;
    if (DATA.has(key)) return inner;
    if (MAPS.has(key) && typeof inner === "object" && inner !== null) return mapValues(inner, (named) => embed(named, pointer));
    return embed(inner, pointer);
  });
}

function mapValues(object: object, map: (value: unknown, key: string) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));
}
