import type { IncomingMessage, ServerResponse } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { Hono, type Context } from "hono";
import type { z } from "zod";
import { CONTENT_TYPES, SamovarError, decodeValue } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import type { ControlPlane, FunctionTable } from "@samovar/scheduler";
import { hasScope, unauthorized, type Authenticator, type Principal } from "../authenticator.ts";
import { tooLarge, type BodyLimits } from "../body-limits.ts";
import { BodyStream } from "../body-stream.ts";
import { encodeProblem, problemHeaders, sendProblem, toProblem, toSamovarError } from "../problem.ts";
import { dropRest, receiveBody } from "../request-body.ts";
import { bodyEncoding } from "../request-head.ts";
import type { SinkContext } from "../response-sink.ts";
import { splitTarget } from "../route.ts";
import { MAX_JSON_BYTES, type ApiAnswer, type ApiCall, type ApiContext, type ApiRoute } from "./api-route.ts";
import { toIssues } from "./issue-text.ts";
import { createOpenApi } from "./openapi.ts";
import { ROUTES } from "./routes.ts";

export interface ControlApiOptions {
  readonly control: ControlPlane;
  readonly functions: FunctionTable;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxBlobBytes: number;
  /** Of a call, and of what queues many. */
  readonly maxBodyBytes: number;
  readonly answers: SinkContext;
  readonly bodyIdleMs: number;
  readonly lingerMs: number;
  isDraining(): boolean;
}

type Env = { Bindings: { incoming: IncomingMessage; outgoing: ServerResponse } };

const BASE = "/api/v1";

/** What Hono's adapter takes as "the handler has answered by itself". */
const ALREADY_SENT = { "x-hono-already-sent": "true" };

export interface ControlApi {
  handle(req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void;
  /** Ends every stream of events and logs that is open: nothing more will come. */
  endStreams(): void;
}

/** The control API as a listener of a `node:http` server. */
export function createControlApi(options: ControlApiOptions): ControlApi {
  let openApi: unknown;
  const context: ApiContext = {
    control: options.control,
    functions: options.functions,
    clock: options.clock,
    logger: options.logger,
    sessions: new Map(),
    streams: new Set(),
    answers: options.answers,
    isDraining: options.isDraining,
    openApi: () => (openApi ??= createOpenApi(ROUTES, options.control.server().version)),
  };
  const app = new Hono<Env>();
  // Sorted, as a brace comes after letters: with any method `/tasks/cancel` is itself, and not the task of that id.
  for (const path of [...new Set(ROUTES.map((route) => route.path))].toSorted()) {
    const pattern = BASE + path.replace(/\{(\w+)\}/g, ":$1");
    for (const route of ROUTES) if (route.path === path) app.on(route.method.toUpperCase(), pattern, (c) => serve(route, c, context, options));
    const allow = allowOf(path);
    app.all(pattern, (c) => {
      authenticate(c.env.incoming, options.authenticator);
      throw new SamovarError("method_not_allowed", `${c.req.method} is not served at ${BASE}${path}: use ${allow.join(", ")}`, { fields: { allow } });
    });
  }
  app.notFound((c) => {
    authenticate(c.env.incoming, options.authenticator);
    throw new SamovarError("not_found", `The control API has nothing at ${JSON.stringify(c.req.path)}: ${BASE}/openapi.json lists what there is`);
  });
  const toError = (thrown: unknown): SamovarError => {
    const error = toSamovarError(thrown);
    if (error.code === "internal") options.logger.error({ error: thrown }, "A request to the control API failed");
    return error;
  };
  const onError = (thrown: unknown): Response => problemResponse(toError(thrown));
  const hot = ROUTES.filter((route) => route.hot);
  app.onError(onError);
  // Globals stay what they are, and bodies are read and dropped here, with bounds.
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false, autoCleanupIncoming: false, errorHandler: onError });

  return {
    handle(req, res, expectsContinue) {
      res.once("finish", () => dropRest(req, options.clock, options.lingerMs));
      if (expectsContinue) {
        if (options.authenticator.authenticate(req.headers.authorization)) res.writeContinue();
        // What is refused is not asked for its body, and a client that keeps it back can't use this connection for more.
        else res.shouldKeepAlive = false;
      }
      const { path, query } = splitTarget(req.url!);
      for (const route of hot) {
        const params = matchHot(route, req.method!, path);
        if (params) return void serveHot(route, { params, query: readQuery(query), req, res }, context, options, toError);
      }
      void listener(req, res);
    },
    endStreams() {
      for (const stream of context.streams) stream.end();
    },
  };
}

/** What a request asks of a route, before any of it is checked. */
interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

async function answer(route: ApiRoute, asked: Asked, context: ApiContext, options: ControlApiOptions): Promise<ApiAnswer> {
  const { req, res } = asked;
  const principal = authenticate(req, options.authenticator);
  assertMay(principal, route);
  const params = route.params ? validate(route.params, asked.params, "path") : undefined;
  const query = route.query ? validate(route.query, asked.query, "query") : undefined;
  const body = route.body ? await readBody(route, req, options) : undefined;
  return route.handle(context, { principal, params, query, body, req, res } as ApiCall<never, never, never>);
}

async function serve(route: ApiRoute, c: Context<Env>, context: ApiContext, options: ControlApiOptions): Promise<Response> {
  const { incoming: req, outgoing: res } = c.env;
  const answered = await answer(route, { params: c.req.param(), query: c.req.query(), req, res }, context, options);
  if (answered === "streaming") return new Response(null, { headers: ALREADY_SENT });
  if (answered.json === null) return new Response(null, { status: answered.status });
  return new Response(JSON.stringify(answered.json), { status: answered.status, headers: JSON_HEADERS });
}

const JSON_HEADERS = { "content-type": CONTENT_TYPES.json, "cache-control": "no-store" };

/** The parameters of a path that is this route's; undefined where it is another's, or not plain enough to tell without the router. */
function matchHot(route: ApiRoute, method: string, path: string): Readonly<Record<string, string>> | undefined {
  if (route.method !== method.toLowerCase() || path.includes("%")) return undefined;
  const parts = path.split("/");
  const expected = (BASE + route.path).split("/");
  if (parts.length !== expected.length) return undefined;
  const params: Record<string, string> = {};
  for (let i = 0; i < parts.length; i++) {
    if (expected[i]!.startsWith("{") && parts[i] !== "") params[expected[i]!.slice(1, -1)] = parts[i]!;
    else if (expected[i] !== parts[i]) return undefined;
  }
  return params;
}

/** As `serve`, with Node's own request and response. */
async function serveHot(
  route: ApiRoute,
  asked: Asked,
  context: ApiContext,
  options: ControlApiOptions,
  toError: (thrown: unknown) => SamovarError,
): Promise<void> {
  const { res } = asked;
  try {
    const answered = await answer(route, asked, context, options);
    if (answered === "streaming" || res.destroyed) return;
    const body = JSON.stringify(answered.json);
    res.writeHead(answered.status, { ...JSON_HEADERS, "content-length": Buffer.byteLength(body) });
    res.end(body);
  } catch (thrown) {
    const error = toError(thrown);
    if (res.headersSent || res.destroyed) res.destroy();
    else sendProblem(res, error);
  }
}

function authenticate(req: IncomingMessage, authenticator: Authenticator): Principal {
  const { authorization } = req.headers;
  const principal = authenticator.authenticate(authorization);
  if (!principal) throw unauthorized(authorization);
  return principal;
}

function assertMay(principal: Principal, route: ApiRoute): void {
  const isContainers = principal.kind === "container" && route.containers === true;
  if (!isContainers && !hasScope(principal, ...route.scopes)) {
    throw new SamovarError("forbidden", `The token "${principal.name}" may not do this: it lacks the scope ${route.scopes.join(" or ")}`);
  }
  if (principal.app !== null && !route.ofOneApp) {
    throw new SamovarError("forbidden", `The token "${principal.name}" is for the app "${principal.app}" only, and this concerns all apps`);
  }
}

async function readBody(route: ApiRoute, req: IncomingMessage, options: ControlApiOptions): Promise<unknown> {
  const bytes = route.body === "bytes";
  const maxBytes = bytes ? options.maxBlobBytes : route.maxBodyBytes === "call" ? options.maxBodyBytes : (route.maxBodyBytes ?? MAX_JSON_BYTES);
  const declared = Number(req.headers["content-length"] ?? 0);
  if (declared > maxBytes) throw tooLarge(declared, maxBytes);
  const limits = { maxBytes, gatherMs: options.bodyIdleMs, idleMs: options.bodyIdleMs };
  if (bytes) return new BodyStream(req, limits, options.clock, [], () => {});
  const content = await readWhole(req, limits, options.clock);
  if (route.valueBody && bodyEncoding(req) === "value") return validate(route.valueBody, parseValue(content), "body");
  return validate(route.body as z.ZodType, parseJson(content, route), "body");
}

function parseJson(body: Buffer, route: ApiRoute): unknown {
  if (body.length === 0 && route.bodyRequired === false) return {};
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new SamovarError("invalid_json", `The body is not JSON: ${(error as Error).message}`);
  }
}

function readWhole(req: IncomingMessage, limits: BodyLimits, clock: Clock): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    req.once("close", () => req.complete || reject(new SamovarError("cancelled", "The caller left before its body was whole")));
    receiveBody(req, limits, clock, false, {
      whole: (body) => resolve(body ?? Buffer.alloc(0)),
      stream: (body) => {
        const chunks: Buffer[] = [];
        (async () => {
          for await (const chunk of body) chunks.push(chunk);
          return Buffer.concat(chunks);
        })().then(resolve, reject);
      },
      failed: reject,
    });
  });
}

/** The first of each name, as the router reads them. */
function readQuery(query: string): Readonly<Record<string, string>> {
  if (query === "") return NO_QUERY;
  const result: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) if (!Object.hasOwn(result, name)) result[name] = value;
  return result;
}

const NO_QUERY = Object.freeze({});

function parseValue(body: Buffer): unknown {
  try {
    return decodeValue(body);
  } catch (error) {
    throw new SamovarError("invalid_request", `The body is no value: ${(error as Error).message}`, { cause: error });
  }
}

function validate(schema: z.ZodType, value: unknown, where: "path" | "query" | "body"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = toIssues(result.error, schema, value);
  const listed = issues.slice(0, 5).map(({ message, path }) => (path.length === 0 ? message : `${path.join(".")}: ${message}`));
  throw new SamovarError(
    "invalid_request",
    `The ${where} is not as the API describes it: ${listed.join("; ")}${issues.length > 5 ? `; and ${issues.length - 5} more` : ""}`,
    { fields: { issues: issues.slice(0, 100) } },
  );
}

function problemResponse(error: SamovarError): Response {
  const headers = new Headers({ "content-type": CONTENT_TYPES.problem, "cache-control": "no-store" });
  const flat = problemHeaders(error);
  for (let i = 0; i < flat.length; i += 2) headers.set(String(flat[i]), String(flat[i + 1]));
  return new Response(encodeProblem(toProblem(error)) as Uint8Array<ArrayBuffer>, { status: error.status, headers });
}

function allowOf(path: string): string[] {
  return ROUTES.filter((route) => route.path === path).flatMap((route) => (route.method === "get" ? ["GET", "HEAD"] : [route.method.toUpperCase()]));
}
