import {
  CONTENT_TYPES,
  ERROR_CATALOGUE,
  HEADERS,
  KIND_SEGMENTS,
  type CallableManifest,
  type ErrorCode,
  type FunctionKind,
  type FunctionManifest,
} from "@samovar/protocol";
import { embedSchema, type JsonSchema } from "./embedded-schemas.ts";
import { createQueueOpenApi, type QueueOpenApi } from "./queue-openapi.ts";

export interface DescribedVersion {
  readonly manifest: FunctionManifest;
  /** The deployment's: the manifest may spell it otherwise. */
  readonly name: string;
  readonly version: number;
  /** Its paths are those of this version, `/endpoint/name@3`, which stay when another becomes active. */
  readonly asVersion: boolean;
  /** Callers need a token: what its manifest says, unless the active version asks for more. */
  readonly authorized: boolean;
  /** Where the server is. */
  readonly url: string;
}

/** One way in: the handler, or a method under its name or route. */
interface Operation {
  readonly id: string;
  readonly path: string;
  readonly callable: CallableManifest;
  /** Of its schemas in the document. */
  readonly schemaName: string;
}

const HAS_QUERY: ReadonlySet<FunctionKind> = new Set<FunctionKind>(["endpoint", "cls"]);

const PUBLIC_CODES: readonly ErrorCode[] = [
  "invalid_json",
  "invalid_request",
  "unserializable_input",
  "not_found",
  "payload_too_large",
  "invalid_input",
  "idempotency_conflict",
  "expired",
  "too_many_pending",
  "handler_error",
  "unserializable_result",
  "invalid_output",
  "container_lost",
  "drained",
  "start_failed",
  "no_capacity",
  "stopped",
  "shutting_down",
  "timeout",
  "storage_failed",
];
const PROTECTED_CODES: readonly ErrorCode[] = ["unauthorized", "forbidden"];

/** How one version of a function is called over HTTP, as OpenAPI 3.1, from what its manifest tells of its inputs and outputs. */
export function createDeploymentOpenApi(described: DescribedVersion): Record<string, unknown> {
  const { manifest, name, version, authorized, url } = described;
  const paths: Record<string, Record<string, unknown>> = {};
  const schemas: Record<string, JsonSchema> = { Problem: PROBLEM };
  const queue = createQueueOpenApi(manifest.kind);
  for (const operation of operationsOf(described)) {
    const { callable, schemaName } = operation;
    const input = keep(schemas, `${schemaName}Input`, callable.inputSchema);
    const output = keep(schemas, `${schemaName}Output`, callable.outputSchema);
    const common = { responses: { ...answersOf(callable, output), ...queue.responses, ...problemsOf(authorized) } };
    const item: Record<string, unknown> = (paths[operation.path] = {});
    const query = HAS_QUERY.has(manifest.kind) ? queryOf(input, manifest.kind === "cls") : null;
    if (query) item["get"] = { operationId: `${operation.id}.get`, parameters: parametersOf(manifest, query, queue), ...common };
    const body = manifest.kind === "schedule" ? {} : { requestBody: bodyOf(input) };
    item["post"] = { operationId: operation.id, parameters: parametersOf(manifest, [], queue), ...body, ...common };
  }
  return {
    openapi: "3.1.1",
    info: { title: name, version: String(version), description: `A Samovar ${manifest.kind}. Errors are RFC 9457 problems with a stable \`code\`.` },
    servers: [{ url }],
    security: authorized ? [{ bearer: [] }] : [],
    paths,
    components: { schemas, ...queue.components, ...(authorized ? { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } } : {}) },
  };
}

function operationsOf({ manifest, name, version, asVersion }: DescribedVersion): Operation[] {
  const base = `/${KIND_SEGMENTS[manifest.kind]}/${name}${asVersion ? `@${version}` : ""}`;
  if (manifest.handler) return [{ id: name, path: base, callable: manifest.handler, schemaName: "" }];
  return Object.entries(manifest.methods).flatMap(([method, callable], index) => {
    // A method's name may have characters that a schema's name may not.
    const schemaName = /^[\w.-]+$/.test(method) ? `${method}.` : `method${index}.`;
    const one = { id: `${name}.${method}`, path: `${base}/${encodeURIComponent(method)}`, callable, schemaName };
    const route = callable.route?.replace(/^\/+|\/+$/g, "");
    if (route === undefined || route === method) return [one];
    return [one, { ...one, id: `${one.id}.route`, path: `${base}/${route.split("/").map(encodeURIComponent).join("/")}` }];
  });
}

interface Kept {
  readonly schema: JsonSchema;
  readonly ref: JsonSchema;
}

/** Puts a schema among the document's; null where the function's can't tell it. */
function keep(schemas: Record<string, JsonSchema>, name: string, schema: JsonSchema | null): Kept | null {
  if (schema === null) return null;
  const pointer = `#/components/schemas/${name}`;
  const embedded = (schemas[name] ??= embedSchema(schema, pointer));
  return { schema: embedded, ref: { $ref: pointer } };
}

/** A query is an object of strings, which the schema coerces. Null where no query can be the input. */
function queryOf(input: Kept | null, hasWith: boolean): JsonSchema[] | null {
  if (input === null) return [{ ...FREE_QUERY, schema: { type: "object", additionalProperties: ONE_OR_MANY } }];
  const { type, properties, required } = input.schema;
  if (type !== undefined && type !== "object" && !(Array.isArray(type) && type.includes("object"))) return null;
  if (typeof properties !== "object" || properties === null) return [{ ...FREE_QUERY, schema: input.ref }];
  const isRequired = (key: string): boolean => Array.isArray(required) && required.includes(key);
  return Object.entries(properties as Record<string, unknown>)
    .filter(([key]) => !(hasWith && key === WITH))
    .map(([key, schema]) => ({ name: key, in: "query", required: isRequired(key), schema }));
}

const WITH = "with";
const FREE_QUERY = { name: "input", in: "query", style: "form", explode: true, description: "Any parameters: together they are the input" };
const ONE_OR_MANY = { anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }] };

function parametersOf(manifest: FunctionManifest, query: readonly JsonSchema[], queue: QueueOpenApi): readonly JsonSchema[] {
  if (manifest.kind !== "cls") return [...query, ...queue.parameters];
  const parameters: JsonSchema = {
    name: WITH,
    in: "query",
    required: manifest.requiresParameters,
    description: "Constructor arguments",
    content: { [CONTENT_TYPES.json]: { schema: { type: "array" } } },
  };
  return [...query, parameters, ...queue.parameters];
}

/** Where nothing is known of the input, other types than JSON reach the handler as its request's body. */
function bodyOf(input: Kept | null): JsonSchema {
  if (input) return { required: true, content: { [CONTENT_TYPES.json]: { schema: input.ref } } };
  return { required: false, content: { [CONTENT_TYPES.json]: { schema: {} }, "*/*": {} } };
}

function answersOf({ streaming }: CallableManifest, output: Kept | null): Record<string, JsonSchema> {
  const schema = output?.ref ?? {};
  if (streaming) {
    const description =
      "A stream of items, each of the schema: one a line, or with `accept: text/event-stream` one an event's data, and `event: end` after the last";
    return { 200: { description, headers: RESPONSE_HEADERS, content: { [CONTENT_TYPES.ndjson]: { schema }, [CONTENT_TYPES.sse]: { schema } } } };
  }
  const content = { [CONTENT_TYPES.json]: { schema }, ...(output ? {} : { "*/*": {} }) };
  const result = { description: "What the function returned", headers: RESPONSE_HEADERS, content };
  return output ? { 200: result } : { 200: result, 204: { description: "The function returned nothing", headers: RESPONSE_HEADERS } };
}

const RESPONSE_HEADERS = {
  [HEADERS.taskId]: { schema: { type: "string" } },
  [HEADERS.version]: { schema: { type: "string" } },
};

function problemsOf(authorized: boolean): Record<string, JsonSchema> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of authorized ? [...PUBLIC_CODES, ...PROTECTED_CODES] : PUBLIC_CODES) {
    const { status } = ERROR_CATALOGUE[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses: Record<string, JsonSchema> = {};
  for (const [status, codes] of byStatus) {
    const schema = { $ref: "#/components/schemas/Problem", properties: { code: { enum: codes } } };
    responses[status] = {
      description: codes.map((code) => `\`${code}\`: ${ERROR_CATALOGUE[code].title}`).join("; "),
      content: { [CONTENT_TYPES.problem]: { schema } },
    };
  }
  responses["default"] = { description: "Any other problem", content: { [CONTENT_TYPES.problem]: { schema: { $ref: "#/components/schemas/Problem" } } } };
  return responses;
}

const PROBLEM: JsonSchema = {
  type: "object",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string" },
  },
  required: ["type", "title", "status", "detail", "code"],
};
