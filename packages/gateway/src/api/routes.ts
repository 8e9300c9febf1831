import { z } from "zod";
import { SamovarError, parseDuration, show, type LogLine } from "@samovar/protocol";
import type { LogQuery } from "@samovar/scheduler";
import { describeNear } from "../near-names.ts";
import { defineRoute, type ApiAnswer, type ApiContext, type ApiRoute } from "./api-route.ts";
import { NdjsonStream } from "./ndjson-stream.ts";
import {
  appRequest,
  appResponse,
  blobList,
  containerInfo,
  functionInfo,
  logLine,
  serverInfo,
  sessionEvent,
  sessionRequest,
  sha256Param,
  stopReason,
} from "./schemas.ts";
import type { ServerResponse } from "node:http";

const ADMIN = ["admin"] as const;
const DEPLOY = ["admin", "deploy"] as const;

const flag = z.enum(["0", "1", "true", "false"]).transform((text) => text === "1" || text === "true");
const id = z.strictObject({ id: z.string().min(1).max(100) });
const tail = z
  .string()
  .regex(/^\d{1,6}$/, "must be a number of lines up to 999999")
  .transform(Number);
const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text, "drain");
  } catch (error) {
    context.addIssue((error as Error).message);
    return z.NEVER;
  }
});

const DEFAULT_DRAIN_MS = 10_000;
const DEFAULT_TAIL = 100;

/** The control API, all of it: docs and router are made from this list. */
export const ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/server",
    operationId: "getServer",
    summary: "What this server is",
    scopes: DEPLOY,
    answer: { status: 200, description: "The server", schema: serverInfo },
    handle: ({ control }) => json(control.server()),
  }),
  defineRoute({
    method: "post",
    path: "/shutdown",
    operationId: "shutdown",
    summary: "Stop the server gracefully; returns at once",
    scopes: ADMIN,
    body: z.strictObject({ reason: stopReason.default("stop") }),
    bodyRequired: false,
    answer: { status: 202, description: "The stop began" },
    handle({ control }, { body }) {
      control.shutdown(body.reason);
      return { status: 202, json: null };
    },
  }),
  defineRoute({
    method: "post",
    path: "/blobs/missing",
    operationId: "findMissingBlobs",
    summary: "Of these contents, the ones that the server lacks",
    scopes: DEPLOY,
    body: blobList,
    answer: { status: 200, description: "Those to be sent", schema: blobList },
    handle: async ({ control }, { body }) => json({ sha256: await control.missingBlobs(body.sha256) }),
  }),
  defineRoute({
    method: "put",
    path: "/blobs/{sha256}",
    operationId: "putBlob",
    summary: "Keep one content; refused unless it hashes to its name",
    scopes: DEPLOY,
    params: z.strictObject({ sha256: sha256Param }),
    body: "bytes",
    answer: { status: 204, description: "It is kept" },
    async handle({ control }, { params, body }) {
      await control.putBlob(params.sha256, body);
      return { status: 204, json: null };
    },
  }),
  defineRoute({
    method: "post",
    path: "/sessions",
    operationId: "openSession",
    summary: "Open a session and follow it; hanging up ends it and all that it started",
    scopes: DEPLOY,
    body: sessionRequest,
    answer: { status: 200, description: "Events, `opened` first, until the session ends", schema: sessionEvent, stream: true },
    handle(context, { body, res }) {
      if (context.isDraining()) throw new SamovarError("shutting_down", "The server is shutting down: open the session when it is back");
      return openSession(context, body, res);
    },
  }),
  defineRoute({
    method: "put",
    path: "/sessions/{id}/app",
    operationId: "putApp",
    summary: "Build, run onDeploy and switch the session's app; all or nothing",
    scopes: DEPLOY,
    params: id,
    body: appRequest,
    answer: { status: 200, description: "The functions as they are served now", schema: appResponse },
    handle: async ({ control }, { params, body }) => json(await control.putApp(params.id, body)),
  }),
  defineRoute({
    method: "delete",
    path: "/sessions/{id}",
    operationId: "closeSession",
    summary: "End a session; answers when its containers are gone",
    scopes: DEPLOY,
    params: id,
    query: z.strictObject({
      drain: duration.optional().describe("How long inputs may still run, such as 10s; 0 ends them at once. Default: 10s"),
      reason: stopReason.optional().describe("What its stop hooks see. Default: interrupt"),
    }),
    answer: { status: 204, description: "It is gone" },
    async handle({ control, sessions }, { params, query }) {
      await control.closeSession(params.id, query.reason ?? "interrupt", query.drain ?? DEFAULT_DRAIN_MS);
      sessions.get(params.id)?.end();
      return { status: 204, json: null };
    },
  }),
  defineRoute({
    method: "get",
    path: "/functions",
    operationId: "listFunctions",
    summary: "Functions and their pools",
    scopes: ADMIN,
    answer: { status: 200, description: "All of them", schema: z.strictObject({ functions: z.array(functionInfo) }) },
    handle: ({ control }) => json({ functions: control.functions() }),
  }),
  defineRoute({
    method: "get",
    path: "/containers",
    operationId: "listContainers",
    summary: "Containers with their phases",
    scopes: ADMIN,
    query: z.strictObject({ all: flag.optional().describe("Also those that ended") }),
    answer: { status: 200, description: "Those that live, or all", schema: z.strictObject({ containers: z.array(containerInfo) }) },
    handle: async ({ control }, { query }) => json({ containers: await control.containers({ all: query.all ?? false }) }),
  }),
  defineRoute({
    method: "get",
    path: "/containers/{id}",
    operationId: "getContainer",
    summary: "One container, also after it ended",
    scopes: ADMIN,
    params: id,
    answer: { status: 200, description: "The container", schema: containerInfo },
    handle: async ({ control }, { params }) => json((await control.container(params.id)) ?? noContainer(params.id)),
  }),
  defineRoute({
    method: "post",
    path: "/containers/{id}/stop",
    operationId: "stopContainer",
    summary: "Drain and stop a container; returns at once",
    scopes: ADMIN,
    params: id,
    query: z.strictObject({ force: flag.optional().describe("Kill it, without drain and stop hooks") }),
    answer: { status: 202, description: "The stop began" },
    handle({ control }, { params, query }) {
      if (!control.stopContainer(params.id, { force: query.force ?? false })) noContainer(params.id);
      return { status: 202, json: null };
    },
  }),
  defineRoute({
    method: "get",
    path: "/containers/{id}/logs",
    operationId: "getContainerLogs",
    summary: "A container's log",
    scopes: ADMIN,
    params: id,
    query: z.strictObject({
      follow: flag.optional().describe("Go on with what comes"),
      tail: tail.optional().describe("How many of the last lines come first. Default: 100"),
    }),
    answer: { status: 200, description: "Lines, oldest first", schema: logLine, stream: true },
    async handle(context, { params, query, res }) {
      if (!(await context.control.container(params.id))) noContainer(params.id);
      return sendLogs(context, { name: null, containerId: params.id, tail: query.tail ?? DEFAULT_TAIL, follow: query.follow ?? false }, res);
    },
  }),
  defineRoute({
    method: "get",
    path: "/logs",
    operationId: "getLogs",
    summary: "The log of a function, or of all",
    scopes: ADMIN,
    query: z.strictObject({
      follow: flag.optional().describe("Go on with what comes"),
      tail: tail.optional().describe("How many of the last lines come first. Default: 100"),
      name: z.string().min(1).optional().describe("A function's name"),
    }),
    answer: { status: 200, description: "Lines, oldest first", schema: logLine, stream: true },
    handle(context, { query, res }) {
      if (query.name !== undefined) assertLogged(query.name, context.control.logNames());
      return sendLogs(context, { name: query.name ?? null, containerId: null, tail: query.tail ?? DEFAULT_TAIL, follow: query.follow ?? false }, res);
    },
  }),
  defineRoute({
    method: "get",
    path: "/openapi.json",
    operationId: "getOpenApi",
    summary: "This document",
    scopes: DEPLOY,
    answer: { status: 200, description: "OpenAPI 3.1", schema: z.record(z.string(), z.unknown()) },
    handle: (context) => json(context.openApi()),
  }),
];

const json = (value: unknown): ApiAnswer => ({ status: 200, json: value });

function noContainer(containerId: string): never {
  throw new SamovarError("not_found", `No container has the id ${JSON.stringify(containerId)}: list them with /api/v1/containers?all=1`);
}

function assertLogged(name: string, names: readonly string[]): void {
  if (names.some((known) => known.toLowerCase() === name.toLowerCase())) return;
  throw new SamovarError("not_found", `No function is named ${show(name)}, and no line of its log is left${describeNear(name, names, "functions")}`);
}

function openSession(context: ApiContext, request: z.output<typeof sessionRequest>, res: ServerResponse): ApiAnswer {
  const { control, clock, sessions } = context;
  const stream = openStream(context, res, (count) => ({ type: "log", line: droppedLine(clock.now(), count) }));
  const hold = control.openSession(request, (event) => stream.send(event, { droppable: event.type === "log" || event.type === "activity" }));
  sessions.set(hold.sessionId, stream);
  res.once("close", () => {
    sessions.delete(hold.sessionId);
    hold.close();
  });
  stream.open();
  return "streaming";
}

function sendLogs(context: ApiContext, query: LogQuery, res: ServerResponse): ApiAnswer {
  const { control, clock } = context;
  const stream = openStream(context, res, (count) => droppedLine(clock.now(), count));
  const stop = control.logs(query, { line: (line) => stream.send(line, { droppable: true }), end: () => stream.end() });
  res.once("close", stop);
  if (query.follow) stream.open();
  return "streaming";
}

function openStream({ streams }: ApiContext, res: ServerResponse, describeDropped: (count: number) => unknown): NdjsonStream {
  const stream = new NdjsonStream(res, describeDropped);
  streams.add(stream);
  res.once("close", () => streams.delete(stream));
  return stream;
}

/** Said in the log itself, where whoever reads it will look for what is missing. */
function droppedLine(atMs: number, count: number): LogLine {
  return {
    atMs,
    containerId: "",
    function: "",
    workerIndex: null,
    stream: "log",
    level: "warn",
    source: { kind: "system" },
    text: `${count} log lines were dropped here: the reader was too slow`,
  };
}
