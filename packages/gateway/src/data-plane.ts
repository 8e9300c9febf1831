import type { IncomingMessage, ServerResponse } from "node:http";
import { SamovarError, show, type FunctionKind, type IdSource } from "@samovar/protocol";
import type { FunctionEntry, FunctionTable, InputRequest } from "@samovar/scheduler";
import { hasScope, unauthorized, type Authenticator, type Principal } from "./authenticator.ts";
import { parsePrefer, type Preference } from "./prefer.ts";
import { sendProblem, toSamovarError } from "./problem.ts";
import { parseParameters, parseQuery } from "./query.ts";
import type { BodyLimits } from "./body-limits.ts";
import { dropRest, receiveBody } from "./request-body.ts";
import { assertPlainBody, bodyEncoding, toRequestHead, wantedAnswer, wholeEncoding } from "./request-head.ts";
import { ResponseSink, type SinkContext } from "./response-sink.ts";
import { describeMissing, findEntry, findMethod, parseRoute, splitTarget } from "./route.ts";

export interface DataPlaneContext extends SinkContext {
  readonly functions: FunctionTable;
  readonly authenticator: Authenticator;
  readonly ids: IdSource;
  readonly limits: BodyLimits;
  onInternalError(error: unknown): void;
}

/** The kinds and what they are called with. A method may be called either way, as a web page's EventSource needs GET. */
const METHODS: Readonly<Record<FunctionKind, readonly string[]>> = {
  endpoint: ["GET", "HEAD", "POST", "OPTIONS"],
  function: ["POST", "OPTIONS"],
  cls: ["GET", "HEAD", "POST", "OPTIONS"],
};

const NO_PARAMETERS: readonly unknown[] = Object.freeze([]);

/**
 * One call, from its request line to the pool: route, token, method, body. What is wrong before the pool has the
 * input is answered here, and after that by the sink.
 */
export function handleCall(context: DataPlaneContext, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
  const arrivedMs = context.clock.monotonic();
  try {
    const call = readCall(context, req, res);
    if (!call) return;
    submit(context, call, req, res, arrivedMs, expectsContinue);
  } catch (error) {
    const problem = toSamovarError(error);
    if (problem.code === "internal") context.onInternalError(error);
    refuse(context, req, res, problem, expectsContinue);
  }
}

/** Answers a call that no pool has. */
export function refuse(context: SinkContext, req: IncomingMessage, res: ServerResponse, error: SamovarError, expectsContinue: boolean): void {
  if (res.destroyed || res.headersSent) return void res.destroy();
  // A client that waits for 100 has sent nothing, and after a refusal can't say so on this connection.
  sendProblem(res, error, expectsContinue || context.draining ? { headers: ["connection", "close"] } : {});
  if (!expectsContinue) dropRest(req, context.clock, context.lingerMs);
}

interface Call {
  readonly entry: FunctionEntry;
  readonly method: string | null;
  readonly query: string;
  readonly parameters: readonly unknown[];
  readonly principal: Principal | undefined;
  readonly prefer: Preference;
}

/** Everything that the head of a request decides. Undefined when it was answered already. */
function readCall(context: DataPlaneContext, req: IncomingMessage, res: ServerResponse): Call | undefined {
  const { path, query } = splitTarget(req.url!);
  const route = parseRoute(path);
  if (!route)
    throw new SamovarError(
      "not_found",
      `Nothing is served at ${show(path)}: functions are at /endpoint/{name}, /function/{name} and /cls/{name}/{method}, the control API at /api/v1`,
    );
  const allow = METHODS[route.kind];
  if (req.method === "OPTIONS") {
    res.writeHead(204, { allow: allow.join(", ") });
    res.end();
    return undefined;
  }
  const principal = context.authenticator.authenticate(req.headers.authorization);
  const entry = findEntry(route, context.functions);
  // Without a token nobody learns which names there are.
  if (!entry || entry.manifest.options.authorized) assertMayInvoke(principal, req.headers.authorization);
  if (!entry) throw describeMissing(route, context.functions);
  if (!allow.includes(req.method!)) {
    throw new SamovarError("method_not_allowed", `${req.method} is not served for a function of the kind ${route.kind}: use ${allow.join(", ")}`, {
      fields: { allow },
    });
  }
  const method = findMethod(entry, route.rest);
  return { entry, method, query, principal, parameters: readParameters(entry, query), prefer: parsePrefer(req.headers.prefer) };
}

function submit(context: DataPlaneContext, call: Call, req: IncomingMessage, res: ServerResponse, arrivedMs: number, expectsContinue: boolean): void {
  const { entry, prefer, principal } = call;
  const { reply, stream } = wantedAnswer(req);
  assertWaits(entry, prefer, reply);
  const hasQuery = req.method !== "POST";
  const encoding = bodyEncoding(req);
  if (!hasQuery) assertPlainBody(req, encoding);
  const taskId = context.ids("task");
  const stacks = entry.development || (principal !== undefined && hasScope(principal, "admin"));
  const request = reply === "value" && entry.manifest.kind === "function" ? null : toRequestHead(req, principal !== undefined);
  const { idempotent, headless } = entry.manifest.options;

  let sink: ResponseSink | null = null;
  const start = (encoding: InputRequest["encoding"], body: Buffer | null, bodyStream: InputRequest["bodyStream"]): void => {
    if (res.destroyed) return;
    sink = new ResponseSink(context, { req, res, entry, taskId, stream, stacks, arrivedMs });
    if (prefer.waitMs !== undefined && prefer.waitMs !== Infinity) sink.limitWait(prefer.waitMs);
    const input: InputRequest = {
      taskId,
      method: call.method,
      encoding,
      reply,
      stream,
      request,
      body,
      bodyStream,
      retries: reply === "value" || idempotent,
      headless,
    };
    sink.attach(entry.submit(call.parameters, input, sink));
  };

  if (hasQuery) return start("query", Buffer.from(JSON.stringify(parseQuery(call.query, entry.manifest.kind === "cls" ? "with" : undefined))), null);
  if (expectsContinue && Number(req.headers["content-length"] ?? 0) <= context.limits.maxBytes) {
    res.writeContinue();
    expectsContinue = false;
  }
  receiveBody(req, context.limits, context.clock, encoding === "raw", {
    whole: (body) => start(body === null ? "none" : wholeEncoding(req, encoding, body), body, null),
    stream: (body) => start(encoding, null, body),
    failed: (error) => (sink ? sink.fail(error) : refuse(context, req, res, error, expectsContinue)),
  });
}

function assertMayInvoke(principal: Principal | undefined, authorization: string | undefined): void {
  if (!principal) throw unauthorized(authorization);
  if (!hasScope(principal, "invoke", "admin"))
    throw new SamovarError("forbidden", `The token "${principal.name}" may not call functions: it lacks the scope invoke`);
}

function readParameters(entry: FunctionEntry, query: string): readonly unknown[] {
  if (entry.manifest.kind !== "cls") return NO_PARAMETERS;
  const parameters = parseParameters(query);
  if (parameters === undefined && entry.manifest.requiresParameters) {
    throw new SamovarError(
      "invalid_request",
      `${entry.name} needs its constructor arguments: call it through .with(…), or give them as ?with=[…], a JSON array`,
    );
  }
  return parameters ?? NO_PARAMETERS;
}

function assertWaits(entry: FunctionEntry, prefer: Preference, reply: InputRequest["reply"]): void {
  if (prefer.respondAsync)
    throw new SamovarError(
      "unsupported",
      "Prefer: respond-async needs task queues, which this server has not yet: send Prefer: wait, and the answer is the result",
    );
  const waits = reply === "value" || entry.manifest.kind !== "function" || (prefer.waitMs !== undefined && prefer.waitMs > 0);
  if (!waits)
    throw new SamovarError(
      "unsupported",
      `Calls of ${entry.name} that are queued need task queues, which this server has not yet: send Prefer: wait (or wait=30, in seconds), and the answer is the result`,
    );
}
