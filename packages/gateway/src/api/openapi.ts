import { z } from "zod";
import { CONTENT_TYPES, type ErrorCode, ERROR_CATALOGUE, EXEC_STREAM } from "@samovar/protocol";
import type { ApiRoute } from "./api-route.ts";
import { appRequest, appResponse } from "./app-schemas.ts";
import { deployEvent, deployRequest, deploymentDetail, deploymentInfo, scalingPatch, scalingRequest, versionInfo } from "./deployment-schemas.ts";
import { containerInfo, functionInfo, logLine, phaseEvent, problem, serverInfo, sessionEvent, sessionRequest } from "./schemas.ts";
import { callbackInfo, putTasksRequest, putTasksResponse, scheduleInfo, taskAttempt, taskChange, taskDetail, taskInfo, taskPage } from "./task-schemas.ts";
import { taskFilterBody } from "./task-filter.ts";
import { createdToken, tokenInfo, tokenRequest } from "./token-schemas.ts";

/** Schemas that have a name in the document. */
const NAMED = {
  AppRequest: appRequest,
  AppResponse: appResponse,
  CallbackInfo: callbackInfo,
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
  PutTasksRequest: putTasksRequest,
  PutTasksResponse: putTasksResponse,
  ScalingPatch: scalingPatch,
  ScalingRequest: scalingRequest,
  ScheduleInfo: scheduleInfo,
  ServerInfo: serverInfo,
  SessionEvent: sessionEvent,
  SessionRequest: sessionRequest,
  TaskAttempt: taskAttempt,
  TaskChange: taskChange,
  TaskDetail: taskDetail,
  TaskInfo: taskInfo,
  TaskPage: taskPage,
  TaskSelection: taskFilterBody,
  TokenInfo: tokenInfo,
  TokenRequest: tokenRequest,
  VersionInfo: versionInfo,
};

type JsonSchema = Record<string, unknown>;

/** OpenAPI 3.1 of the control API, from the same routes and schemas that serve it. */
export function createOpenApi(routes: readonly ApiRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) (paths[`/api/v1${route.path}`] ??= {})[route.method] = toOperation(route);
  paths["/api/v1/containers/{id}/exec"] = { get: EXEC };
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
  const { answer, otherAnswers = {} } = route;
  const types = [...(answer.schema ? [answer.stream ? CONTENT_TYPES.ndjson : CONTENT_TYPES.json] : []), ...(answer.types ?? [])];
  const schema = answer.schema ? toJsonSchema(answer.schema, "output") : {};
  const content = types.length > 0 ? { content: Object.fromEntries(types.map((type) => [type, { schema: isEvents(type, answer) ? {} : schema }])) } : {};
  const others = Object.entries(otherAnswers).map(([status, other]) => [
    status,
    { description: other.description, ...(other.schema ? { content: { [CONTENT_TYPES.json]: { schema: toJsonSchema(other.schema, "output") } } } : {}) },
  ]);
  return {
    operationId: route.operationId,
    summary: route.summary,
    description: `Needs a token with the scope ${route.scopes.join(" or ")}${route.ofOneApp ? "; tokens of one app reach what is that app's" : ""}.`,
    ...(route.params || route.query ? { parameters: [...toParameters(route.params, "path"), ...toParameters(route.query, "query")] } : {}),
    ...(route.body ? { requestBody: toRequestBody(route) } : {}),
    responses: { [answer.status]: { description: answer.description, ...content }, ...Object.fromEntries(others), ...problemResponses(route) },
  };
}

/** Events of one document: what they carry is not that document. */
const isEvents = (type: string, answer: ApiRoute["answer"]): boolean => type === CONTENT_TYPES.sse && !answer.stream;

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
  const asValue = route.valueBody ? { [CONTENT_TYPES.value]: { schema: toJsonSchema(route.valueBody, "input") } } : {};
  return { required, content: { [CONTENT_TYPES.json]: { schema: toJsonSchema(route.body!, "input") }, ...asValue } };
}

function problemResponses(route: ApiRoute): JsonSchema {
  const codes: ErrorCode[] = ["unauthorized", "forbidden"];
  if (route.params || route.query || route.body) codes.push("invalid_request");
  if (route.params) codes.push("not_found");
  if (route.body) codes.push("payload_too_large");
  const responses: Record<string, unknown> = {};
  for (const code of codes) responses[ERROR_CATALOGUE[code].status] = problemResponse(code);
  return { ...responses, default: { description: "Any other problem", content: { [CONTENT_TYPES.problem]: { schema: refTo("Problem") } } } };
}

function problemResponse(code: ErrorCode): JsonSchema {
  return { description: ERROR_CATALOGUE[code].title, content: { [CONTENT_TYPES.problem]: { schema: refTo("Problem") } } };
}

function refTo(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** No route of the table: it is an upgrade, and OpenAPI has no words for what follows it. */
const EXEC: JsonSchema = {
  operationId: "execInContainer",
  summary: "Run a program in a container, over a WebSocket",
  description: [
    "The upgrade to a WebSocket. Needs a token with the scope admin, as `authorization` or, from browsers, as the subprotocol `samovar.bearer.TOKEN`.",
    "The client's first message is text, an ExecRequest: `{ argv: [string], env?: { NAME: string }, cwd?: string, terminal?: { columns, rows } }`.",
    'After it, text messages of the client are ExecSignals: `{ type: "resize", columns, rows }` or `{ type: "signal", signal: "SIGINT" }`.',
    'Text messages of the server are ExecReplies: `{ type: "started" }`, and as the last one `{ type: "exit", code, signal }` or `{ type: "failed", problem }`.',
    `Binary messages carry streams: the first byte says which (${EXEC_STREAM.stdin} stdin, ${EXEC_STREAM.stdout} stdout, ${EXEC_STREAM.stderr} stderr), the rest are its bytes; none is the end of stdin.`,
    "Hanging up ends the program: SIGHUP, then SIGKILL.",
  ].join("\n\n"),
  parameters: [{ name: "id", in: "path", required: true, schema: { type: "string" } }],
  responses: {
    101: { description: "The WebSocket is open; a container that isn't there is told in it, as `failed`" },
    401: problemResponse("unauthorized"),
    403: problemResponse("forbidden"),
    426: { ...problemResponse("invalid_request"), description: "A plain request: this is served only as a WebSocket" },
    default: { description: "Any other problem", content: { [CONTENT_TYPES.problem]: { schema: refTo("Problem") } } },
  },
};

/** Bodies of requests, as they are sent. */
const IS_SENT = /(Request|Selection)$/;

function namedSchemas(): Record<string, unknown> {
  return Object.fromEntries(Object.entries(NAMED).map(([name, schema]) => [name, toJsonSchema(schema, IS_SENT.test(name) ? "input" : "output", name)]));
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
