import type { ServerResponse } from "node:http";
import { z } from "zod";
import { SamovarError, show } from "@samovar/protocol";
import type { LogQuery } from "@samovar/scheduler";
import { describeNear } from "@samovar/kit";
import { defineRoute, type ApiAnswer, type ApiContext, type ApiRoute } from "./api-route.ts";
import { ADMIN, droppedLine, flag, id, json, openStream } from "./route-parts.ts";
import { containerInfo, logLine } from "./schemas.ts";

const tail = z
  .string()
  .regex(/^\d{1,6}$/, "must be a number of lines up to 999999")
  .transform(Number);

const DEFAULT_TAIL = 100;

/** Containers and logs, of all apps. */
export const CONTAINER_ROUTES: readonly ApiRoute[] = [
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
    async handle(context, { query, res }) {
      if (query.name !== undefined) assertLogged(query.name, await context.control.logNames());
      return sendLogs(context, { name: query.name ?? null, containerId: null, tail: query.tail ?? DEFAULT_TAIL, follow: query.follow ?? false }, res);
    },
  }),
];

function noContainer(containerId: string): never {
  throw new SamovarError("not_found", `No container has the id ${JSON.stringify(containerId)}: list them with /api/v1/containers?all=1`);
}

function assertLogged(name: string, names: readonly string[]): void {
  if (names.some((known) => known.toLowerCase() === name.toLowerCase())) return;
  throw new SamovarError("not_found", `No function is named ${show(name)}, and no line of its log is left${describeNear(name, names, "functions")}`);
}

function sendLogs(context: ApiContext, query: LogQuery, res: ServerResponse): ApiAnswer {
  const { control, clock } = context;
  const stream = openStream(context, res, { describeDropped: (count) => droppedLine(clock.now(), count) });
  const stop = control.logs(query, { line: (line) => stream.send(line, { droppable: true }), end: () => stream.end() });
  if (res.destroyed) stop();
  else res.once("close", stop);
  if (query.follow) stream.open();
  return "streaming";
}
