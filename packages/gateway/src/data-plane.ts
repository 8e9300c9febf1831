import type { IncomingMessage, ServerResponse } from "node:http";
import { MAX_TASK_BYTES, SamovarError, show, type FunctionKind, type IdSource, type PutTaskResult } from "@samovar/protocol";
import type { FunctionEntry, FunctionTable, InputRequest, NewInput, ScheduleControl } from "@samovar/scheduler";
import { assertApp, hasScope, mayTouch, unauthorized, type Authenticator, type Principal } from "./authenticator.ts";
import { chooseDelivery, type Delivery } from "./delivery.ts";
import type { RequestHost } from "./host.ts";
import { parsePrefer, type Preference } from "./prefer.ts";
import { sendProblem, toSamovarError, type FlatHeaders } from "./problem.ts";
import { parseQuery, readParameters } from "./query.ts";
import type { BodyLimits } from "./body-limits.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { answerQueued, type QueueContext } from "./queued-call.ts";
import { collectBody, dropRest, receiveBody } from "./request-body.ts";
import { assertPlainBody, assertQueueable, bodyEncoding, toRequestHead, wantedAnswer, wholeEncoding } from "./request-head.ts";
import { ResponseSink, type SinkContext } from "./response-sink.ts";
import { describeMissing, findEntry, findMethod, isPublic, parseRoute, routeOfHost, splitTarget, type Route } from "./route.ts";
import { NO_TERMS, queueHeader, readTerms } from "./task-headers.ts";

export interface DataPlaneContext extends QueueContext {
  readonly functions: FunctionTable;
  readonly schedules: ScheduleControl;
  readonly authenticator: Authenticator;
  readonly ids: IdSource;
  readonly limits: BodyLimits;
  /** Of what is queued: it must be whole before it is. */
  readonly taskLimits: BodyLimits;
  readonly taskBodies: ByteBudget;
}

export type FunctionHost = Extract<RequestHost, { readonly kind: "function" }>;

/** The kinds and what they are called with. A method may be called either way, as a web page's EventSource needs GET. */
const METHODS: Readonly<Record<FunctionKind, readonly string[]>> = {
  endpoint: ["GET", "HEAD", "POST", "OPTIONS"],
  function: ["POST", "OPTIONS"],
  taskqueue: ["POST", "OPTIONS"],
  schedule: ["POST", "OPTIONS"],
  cls: ["GET", "HEAD", "POST", "OPTIONS"],
};

/**
 * One call, from its request line to the pool: route, token, method, body. What is wrong before the pool has the
 * input is answered here or by the caller, who gets what is thrown, and after that by the sink. `host` is the function's own.
 */
export function handleCall(context: DataPlaneContext, host: FunctionHost | null, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
  const arrivedMs = context.clock.monotonic();
  const { path, query } = splitTarget(req.url!);
  const route = host ? routeOfHost(host.label, path) : parseRoute(path);
  if (!route)
    throw new SamovarError(
      "not_found",
      `Nothing is served at ${show(path)}: functions are at /endpoint/{name}, /function/{name}, /taskqueue/{name}, /schedule/{name} and /cls/{name}/{method}, the control API at /api/v1`,
    );
  if (req.method === "OPTIONS") return answerOptions(context, route, req, res, expectsContinue);
  const principal = context.authenticator.authenticate(req.headers.authorization);
  // Before the lookup: what changes from here on is seen.
  const generation = context.functions.generation;
  const call: Call = { route, query, principal, arrivedMs, generation, aim: takeAim(context, route, query, principal, req) };
  try {
    submit(context, call, req, res, expectsContinue);
  } catch (error) {
    refuseCall(context, call, req, res, error, expectsContinue);
  }
}

/** Answers what no pool has. */
export function refuse(
  context: SinkContext,
  req: IncomingMessage,
  res: ServerResponse,
  error: SamovarError,
  expectsContinue: boolean,
  options: { readonly status?: number; readonly headers?: FlatHeaders } = {},
): void {
  if (res.destroyed || res.headersSent) return void res.destroy();
  // A client that waits for 100 has sent nothing, and after a refusal can't say so on this connection.
  const close = expectsContinue || context.draining ? ["connection", "close"] : [];
  sendProblem(res, error, { ...options, headers: [...(options.headers ?? []), ...close] });
  if (!expectsContinue) dropRest(req, context.clock, context.lingerMs);
}

interface Call {
  readonly route: Route;
  readonly query: string;
  readonly principal: Principal | undefined;
  readonly arrivedMs: number;
  /** Of the table, when the function was looked up. */
  readonly generation: number;
  readonly aim: Aim;
}

/** Where a call goes. */
interface Aim {
  readonly entry: FunctionEntry;
  readonly method: string | null;
  readonly parameters: readonly unknown[];
}

/** Looks up what the route names, and throws what keeps this caller from it. */
function takeAim(context: DataPlaneContext, route: Route, query: string, principal: Principal | undefined, req: IncomingMessage): Aim {
  const entry = findEntry(route, context.functions);
  // Without a token nobody learns which names there are.
  if (!entry || !isPublic(entry, context.functions)) assertMayInvoke(principal, req.headers.authorization, entry);
  if (!entry) throw describeMissing(route, context.functions, (other) => mayTouch(principal!, other.app));
  const allow = METHODS[entry.manifest.kind];
  if (!allow.includes(req.method!)) {
    throw new SamovarError("method_not_allowed", `${req.method} is not served for a function of the kind ${entry.manifest.kind}: use ${allow.join(", ")}`, {
      fields: { allow },
    });
  }
  return { entry, method: findMethod(entry, route.rest), parameters: readParameters(entry, query) };
}

/** A name may have got another function while the body came; a version and an id are what they were, and may ask for a token now. */
function aimAgain(context: DataPlaneContext, call: Call, req: IncomingMessage): Aim {
  const { route, query, principal, aim } = call;
  if (!isPinned(route)) return takeAim(context, route, query, principal, req);
  if (!isPublic(aim.entry, context.functions)) assertMayInvoke(principal, req.headers.authorization, aim.entry);
  return aim;
}

/** A call that was let in, and that no pool has. */
function refuseCall(context: DataPlaneContext, call: Call, req: IncomingMessage, res: ServerResponse, thrown: unknown, expectsContinue: boolean): void {
  const error = toSamovarError(thrown);
  if (error.code === "internal") context.onInternalError(thrown);
  context.callEnded(call.aim.entry, error.status, context.clock.monotonic() - call.arrivedMs);
  refuse(context, req, res, error, expectsContinue);
}

function submit(context: DataPlaneContext, call: Call, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
  const prefer = parsePrefer(req.headers.prefer);
  const terms = readTerms(req.headers);
  const wanted = wantedAnswer(req);
  const choose = ({ manifest }: FunctionEntry): Delivery => {
    const delivery = chooseDelivery(manifest.kind, wanted.reply, prefer, terms !== null && terms.idempotencyKey !== null);
    if (terms && delivery.by === "call") assertNoQueueHeader(req);
    if (terms && !call.principal) assertOwnQueue(req);
    return delivery;
  };
  // Before the body: what is wrong so far needs none.
  const isQueued = choose(call.aim.entry).by !== "call";
  const hasQuery = req.method !== "POST";
  const encoding = bodyEncoding(req);
  if (!hasQuery) assertPlainBody(req, encoding);
  let sink: ResponseSink | null = null;

  const give = (as: InputRequest["encoding"], body: Buffer | null, bodyStream: InputRequest["bodyStream"]): void => {
    const isCurrent = context.functions.generation === call.generation;
    const aim = isCurrent ? call.aim : aimAgain(context, call, req);
    const delivery = choose(aim.entry);
    const { entry } = aim;
    const { principal, arrivedMs } = call;
    const stacks = entry.development || (principal !== undefined && hasScope(principal, "admin") && mayTouch(principal, entry.app));
    const { kind, options } = entry.manifest;
    const { reply, stream } = wanted;
    const answered = { req, res, entry, reply, stream, stacks, arrivedMs, ownHost: call.route.by === "host" };
    const whole = hasQuery ? queryBody(call.query, kind) : body;
    const request = reply === "value" && kind !== "endpoint" && kind !== "cls" ? null : toRequestHead(req, principal !== undefined);
    if (delivery.by === "call") {
      const taskId = context.ids("task");
      sink = new ResponseSink(context, { ...answered, version: entry.version, taskId });
      if (prefer.waitMs !== undefined && prefer.waitMs !== Infinity) limitCall(sink, prefer.waitMs);
      const { idempotent, headless } = options;
      // What a schedule's handler gets is the server's to say: the moment that the run stands for.
      const hasInput = kind !== "schedule";
      const input = {
        taskId,
        method: aim.method,
        encoding: hasInput ? as : "none",
        reply,
        stream,
        request,
        body: hasInput ? whole : null,
        bodyStream: hasInput ? bodyStream : null,
        retries: reply === "value" || idempotent,
        headless,
      };
      return sink.attach(entry.submit(aim.parameters, input, sink));
    }
    const queue = async (content: Buffer | null): Promise<void> => {
      if (kind !== "schedule") assertQueueable(as, content);
      const input = {
        method: aim.method,
        encoding: as,
        reply,
        stream,
        request,
        body: content,
        pinned: isPinned(call.route),
        anonymous: principal === undefined,
        ...(terms ?? NO_TERMS),
      };
      const result = await put(context, call, aim, input);
      answerQueued(context, { ...answered, delivery, applied: appliedOf(prefer, delivery) }, result);
    };
    (bodyStream ? collectBody(bodyStream, MAX_TASK_BYTES, context.taskBodies, queue) : queue(whole)).catch(fail);
  };
  let isRefused = false;
  const fail = (thrown: unknown): void => {
    if (!sink) {
      // A body that breaks tells it, and who reads it meets it as well.
      if (!isRefused) refuseCall(context, call, req, res, thrown, expectsContinue);
      isRefused = true;
      return;
    }
    const error = toSamovarError(thrown);
    if (error.code === "internal") context.onInternalError(thrown);
    sink.fail(error);
  };
  const start: typeof give = (as, body, bodyStream) => {
    if (res.destroyed) return;
    try {
      give(as, body, bodyStream);
    } catch (error) {
      fail(error);
    }
  };

  if (hasQuery) return start("query", null, null);
  const limits = isQueued ? context.taskLimits : context.limits;
  if (expectsContinue && Number(req.headers["content-length"] ?? 0) <= limits.maxBytes) {
    res.writeContinue();
    expectsContinue = false;
  }
  receiveBody(req, limits, context.clock, encoding === "raw" && !isQueued, {
    whole: (body) => start(body === null ? "none" : wholeEncoding(req, encoding, body), body, null),
    stream: (body) => start(encoding, null, body),
    failed: fail,
  });
}

/** A schedule has no input, and runs as at a tick unless the request says more than that. */
async function put(context: DataPlaneContext, { route }: Call, { entry, parameters }: Aim, input: NewInput): Promise<PutTaskResult> {
  if (entry.manifest.kind !== "schedule") return (await context.tasks.put(entry, parameters, [input]))[0]!;
  const isPlain = input.idempotencyKey === null && input.concurrencyKey === null && input.ttlMs === null && input.delayMs === 0 && input.priorityMs === 0;
  if (isPlain && !entry.development && route.by !== "id" && route.version === undefined) return { id: await context.schedules.run(entry.name), created: true };
  return (await context.tasks.put(entry, parameters, [{ ...input, encoding: "none", request: null, body: null }]))[0]!;
}

/** A version was named, by its number or as the one that has this id. */
const isPinned = (route: Route): boolean => route.by === "id" || route.version !== undefined;

/** Anybody may add to the queue of a public function; who goes first, and for how long, is its owner's to say. */
function assertOwnQueue(req: IncomingMessage): void {
  const header = queueHeader(req.headers);
  if (header !== undefined) throw new SamovarError("unauthorized", `The header ${header} needs a token: without one, send the request alone`);
}

function limitCall(sink: ResponseSink, waitMs: number): void {
  sink.limitWait(waitMs, () =>
    sink.fail(new SamovarError("timeout", `No result came within the ${waitMs / 1_000} s that Prefer: wait allows: the call was cancelled`)),
  );
}

function appliedOf(prefer: Preference, delivery: Delivery): string | null {
  const applied = prefer.respondAsync ? ["respond-async"] : [];
  if (delivery.by === "wait" && delivery.waitMs !== Infinity) applied.push(`wait=${Math.ceil(delivery.waitMs / 1_000)}`);
  return applied.length === 0 ? null : applied.join(", ");
}

function assertNoQueueHeader(req: IncomingMessage): void {
  const name = queueHeader(req.headers);
  if (name === undefined) return;
  throw new SamovarError(
    "invalid_request",
    `The header ${name} is for queued requests, and this one is not: send Prefer: respond-async as well, or leave it out`,
  );
}

const queryBody = (query: string, kind: FunctionKind): Buffer => Buffer.from(JSON.stringify(parseQuery(query, kind === "cls" ? "with" : undefined)));

/** What may be called, and, for a web page that asks before it calls a public function, that it may. */
function answerOptions(context: DataPlaneContext, route: Route, req: IncomingMessage, res: ServerResponse, expectsContinue: boolean): void {
  const entry = findEntry(route, context.functions);
  const isOpen = entry !== undefined && isPublic(entry, context.functions);
  // The same whether the function exists or not, unless anyone may call it.
  const allow = METHODS[isOpen ? entry.manifest.kind : (route.kind ?? "endpoint")];
  const headers: FlatHeaders = ["allow", allow.join(", ")];
  if (isOpen && req.headers.origin !== undefined) headers.push(...preflightHeaders(allow));
  if (expectsContinue || context.draining) headers.push("connection", "close");
  res.writeHead(204, headers as string[]);
  res.end();
  if (!expectsContinue) dropRest(req, context.clock, context.lingerMs);
}

/**
 * Anyone may call a public function, so a page of any origin may, without cookies. Whether it may read the answer is the
 * handler's to say, with `access-control-allow-origin`.
 */
function preflightHeaders(allow: readonly string[]): FlatHeaders {
  return [
    "access-control-allow-origin",
    "*",
    "access-control-allow-methods",
    allow.join(", "),
    "access-control-allow-headers",
    "*, authorization",
    "access-control-max-age",
    "600",
  ];
}

function assertMayInvoke(principal: Principal | undefined, authorization: string | undefined, entry: FunctionEntry | undefined): void {
  if (!principal) throw unauthorized(authorization);
  if (!hasScope(principal, "invoke", "admin"))
    throw new SamovarError("forbidden", `The token "${principal.name}" may not call functions: it lacks the scope invoke`);
  if (entry) assertApp(principal, entry.app, entry.name);
}
