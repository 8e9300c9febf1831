import { z } from "zod";
import { CONTENT_TYPES, type ErrorCode, ERROR_CATALOGUE } from "@samovar/protocol";
import type { ApiRoute } from "./api-route.ts";
import { appRequest, appResponse } from "./app-schemas.ts";
import { deployEvent, deployRequest, deploymentDetail, deploymentInfo, scalingPatch, scalingRequest, versionInfo } from "./deployment-schemas.ts";
import { containerInfo, functionInfo, logLine, phaseEvent, problem, serverInfo, sessionEvent, sessionRequest } from "./schemas.ts";
import { createdToken, tokenInfo, tokenRequest } from "./token-schemas.ts";

/** Schemas that have a name in the document. */
const NAMED = {
  AppRequest: appRequest,
  AppResponse: appResponse,
  ContainerInfo: containerInfo,
  CreatedToken: createdToken,
  DeployEvent: deployEvent,
  DeployRequest: deployRequest,
  DeploymentDetail: deploymentDetail,
  DeploymentInfo: deploymentInfo,
  FunctionInfo: functionInfo,
  LogLine: logLine,
  PhaseEvent: phaseEvent,
  Problem: problem,
  ScalingPatch: scalingPatch,
  ScalingRequest: scalingRequest,
  ServerInfo: serverInfo,
  SessionEvent: sessionEvent,
  SessionRequest: sessionRequest,
  TokenInfo: tokenInfo,
  TokenRequest: tokenRequest,
  VersionInfo: versionInfo,
};

type JsonSchema = Record<string, unknown>;

/** OpenAPI 3.1 of the control API, from the same routes and schemas that serve it. */
export function createOpenApi(routes: readonly ApiRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[`/api/v1${route.path}`] ??= {})[route.method] = toOperation(route);
  return {
    openapi: "3.1.1",
    info: {
      title: "Samovar control API",
      version,
      description: "What the samovar command and the dashboard call. Errors are RFC 9457 problems with a stable `code`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{ bearer: [] }],
    paths,
    components: { schemas: namedSchemas(), securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  };
}

function toOperation(route: ApiRoute): JsonSchema {
  const { answer } = route;
  const content = answer.schema
    ? { content: { [answer.stream ? CONTENT_TYPES.ndjson : CONTENT_TYPES.json]: { schema: toJsonSchema(answer.schema, "output") } } }
    : {};
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: `Needs a token with the scope ${route.scopes.join(" or ")}${route.ofOneApp ? "; tokens of one app reach what is that app's" : ""}.`,
    ...(route.params || route.query ? { parameters: [...toParameters(route.params, "path"), ...toParameters(route.query, "query")] } : {}),
    ...(route.body ? { requestBody: toRequestBody(route) } : {}),
    responses: { [answer.status]: { description: answer.description, ...content }, ...problemResponses(route) },
  };
}

function toParameters(schema: z.ZodObject | undefined, place: "path" | "query"): JsonSchema[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = toJsonSchema(schema, "input") as { properties?: Record<string, JsonSchema>; required?: string[] };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}

function toRequestBody(route: ApiRoute): JsonSchema {
  const required = route.bodyRequired ?? true;
  if (route.body === "bytes") return { required, content: { "application/octet-stream": { schema: {} } } };
  return { required, content: { [CONTENT_TYPES.json]: { schema: toJsonSchema(route.body!, "input") } } };
}

function problemResponses(route: ApiRoute): JsonSchema {
  const codes: ErrorCode[] = ["unauthorized", "forbidden"];
  if (route.params || route.query || route.body) codes.push("invalid_request");
  if (route.params) codes.push("not_found");
  if (route.body) codes.push("payload_too_large");
  const responses: Record<string, unknown> = {};
  for (const code of codes) {
    const { status, title } = ERROR_CATALOGUE[code];
    responses[status] = { description: title, content: { [CONTENT_TYPES.problem]: { schema: refTo("Problem") } } };
  }
  return { ...responses, default: { description: "Any other problem", content: { [CONTENT_TYPES.problem]: { schema: refTo("Problem") } } } };
}

const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

function namedSchemas(): Record<string, unknown> {
  return Object.fromEntries(Object.entries(NAMED).map(([name, schema]) => [name, toJsonSchema(schema, name.endsWith("Request") ? "input" : "output", name)]));
}

/** A named schema becomes a reference, also inside others; `self` is the one that is being defined. */
function toJsonSchema(schema: z.ZodType, io: "input" | "output", self?: string): JsonSchema {
  const named = (candidate: unknown): string | undefined => Object.entries(NAMED).find(([name, known]) => known === candidate && name !== self)?.[0];
  const own = named(schema);
  if (own !== undefined) return refTo(own);
  const { $schema: _, ...result } = z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    reused: "inline",
    override({ zodSchema, jsonSchema }) {
      const name = named(zodSchema);
      if (name === undefined) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      Object.assign(jsonSchema, refTo(name));
    },
  }) as JsonSchema;
  return result;
}
