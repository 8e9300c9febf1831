import type { IncomingMessage, ServerResponse } from "node:http";
import { CONTENT_TYPES, HEADERS, SamovarError, type PutTaskResult } from "@samovar/protocol";
import type { FunctionEntry, NewInput, TaskControl } from "@samovar/scheduler";
import type { Delivery } from "./delivery.ts";
import { asJson } from "./json-answer.ts";
import { toSamovarError, type FlatHeaders } from "./problem.ts";
import { dropRest, hasBody } from "./request-body.ts";
import { CALLER_LEFT, ResponseSink, type SinkContext } from "./response-sink.ts";

export interface QueueContext extends SinkContext {
  readonly tasks: TaskControl;
  /** Calls that wait for their task. */
  readonly waiting: Set<WaitingCall>;
  onInternalError(error: unknown): void;
}

export interface WaitingCall {
  /** The server stops: what hasn't begun won't now. */
  release(): void;
}

/** A call that is to be queued. */
export interface QueuedCall {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly entry: FunctionEntry;
  readonly reply: NewInput["reply"];
  readonly stream: NewInput["stream"];
  readonly delivery: Exclude<Delivery, { by: "call" }>;
  /** What was done of `Prefer`, as `preference-applied` tells it; null where nothing was asked. */
  readonly applied: string | null;
  readonly stacks: boolean;
  readonly arrivedMs: number;
  readonly ownHost: boolean;
}

/** Answers a call whose task is on disk: with its id, or with its result when there is one. */
export function answerQueued(context: QueueContext, call: QueuedCall, { id, created }: PutTaskResult): void {
  const { res, entry, arrivedMs } = call;
  // It left meanwhile. Its task goes on: nobody knows how much of the answer the caller saw.
  if (res.destroyed) return context.callEnded(entry, CALLER_LEFT, context.clock.monotonic() - arrivedMs);
  const headers: FlatHeaders = created ? [] : [REPLAYED, "true"];
  if (call.applied !== null) headers.push("preference-applied", call.applied);
  if (call.delivery.by === "accept") sendAccepted(context, call, id, headers);
  else waitForTask(context, call, id, headers, call.delivery.waitMs);
}

const REPLAYED = "idempotency-replayed";

function sendAccepted(context: QueueContext, { req, res, entry, arrivedMs }: QueuedCall, id: string, headers: FlatHeaders): void {
  const body = acceptedBody(id);
  const head = ["content-length", body.length, HEADERS.taskId, id, ...acceptedHeaders(id), ...headers];
  if (context.draining) {
    head.push("connection", "close");
    res.once("close", context.closed);
  }
  res.writeHead(202, head as string[]);
  res.end(body, "latin1");
  context.callEnded(entry, 202, context.clock.monotonic() - arrivedMs);
  if (!req.readableEnded && hasBody(req)) dropRest(req, context.clock, context.lingerMs);
}

function waitForTask(context: QueueContext, call: QueuedCall, id: string, headers: FlatHeaders, waitMs: number): void {
  const { waiting } = context;
  const accept = (): void => sink.accept([...acceptedHeaders(id)], acceptedBody(id));
  const held: WaitingCall = {
    release() {
      if (sink.isStarted) return;
      if (waitMs !== Infinity) accept();
      else
        sink.fail(
          new SamovarError("shutting_down", `The server is shutting down. The task ${id} is kept: send the request again, with the same idempotency key`),
        );
    },
  };
  const sink = new ResponseSink(context, { ...call, version: null, taskId: id, headers, over: () => waiting.delete(held) });
  waiting.add(held);
  if (waitMs !== Infinity) sink.limitWait(waitMs, accept);
  const fail = (thrown: unknown): void => {
    const error = toSamovarError(thrown);
    if (error.code === "internal") context.onInternalError(thrown);
    sink.fail(error);
  };
  const wait = context.tasks.answer(id, call.reply === "value" ? sink : asJson(sink, context.tasks, id, fail));
  // The task is its own: a caller that leaves changes nothing for it.
  sink.attach({ cancel: () => wait.leave(), resume() {} });
}

/** Beside length, task and connection. */
const acceptedHeaders = (id: string): FlatHeaders => ["content-type", CONTENT_TYPES.json, "location", `/api/v1/tasks/${id}`];

/** Ids need no escapes. */
const acceptedBody = (id: string): string => `{"taskId":"${id}"}`;
