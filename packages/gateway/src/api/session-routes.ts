import type { ServerResponse } from "node:http";
import { z } from "zod";
import { SamovarError } from "@samovar/protocol";
import { assertApp } from "../authenticator.ts";
import { defineRoute, type ApiAnswer, type ApiContext, type ApiRoute } from "./api-route.ts";
import { appRequest, appResponse } from "./app-schemas.ts";
import { DEPLOY, MAX_APP_BYTES, assertMayMount, droppedLine, duration, id, json, openStream } from "./route-parts.ts";
import { blobList, sessionEvent, sessionRequest, sha256Param, stopReason } from "./schemas.ts";

const DEFAULT_DRAIN_MS = 10_000;

/** Contents, and the sessions of `run` and `serve` that are made of them. */
export const SESSION_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "post",
    path: "/blobs/missing",
    operationId: "findMissingBlobs",
    summary: "Of these contents, the ones that the server lacks",
    scopes: DEPLOY,
    ofOneApp: true,
    body: blobList,
    maxBodyBytes: MAX_APP_BYTES,
    answer: { status: 200, description: "Those to be sent", schema: blobList },
    handle: async ({ control }, { body }) => json({ sha256: await control.missingBlobs(body.sha256) }),
  }),
  defineRoute({
    method: "put",
    path: "/blobs/{sha256}",
    operationId: "putBlob",
    summary: "Keep one content; refused unless it hashes to its name",
    scopes: DEPLOY,
    ofOneApp: true,
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
    ofOneApp: true,
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
    ofOneApp: true,
    params: id,
    body: appRequest,
    maxBodyBytes: MAX_APP_BYTES,
    answer: { status: 200, description: "The functions as they are served now", schema: appResponse },
    async handle({ control }, { params, body, principal }) {
      assertApp(principal, body.manifest.app, "What is sent");
      assertMayMount(principal, body.code.nodeModules);
      return json(await control.putApp(params.id, body));
    },
  }),
  defineRoute({
    method: "delete",
    path: "/sessions/{id}",
    operationId: "closeSession",
    summary: "End a session; answers when its containers are gone",
    scopes: DEPLOY,
    ofOneApp: true,
    params: id,
    query: z.strictObject({
      drain: duration("drain").optional().describe("How long inputs may still run, such as 10s; 0 ends them at once. Default: 10s"),
      reason: stopReason.optional().describe("What its stop hooks see. Default: interrupt"),
    }),
    answer: { status: 204, description: "It is gone" },
    async handle({ control, sessions }, { params, query }) {
      await control.closeSession(params.id, query.reason ?? "interrupt", query.drain ?? DEFAULT_DRAIN_MS);
      sessions.get(params.id)?.end();
      return { status: 204, json: null };
    },
  }),
];

function openSession(context: ApiContext, request: z.output<typeof sessionRequest>, res: ServerResponse): ApiAnswer {
  const { control, clock, sessions } = context;
  const stream = openStream(context, res, { describeDropped: (count) => ({ type: "log", line: droppedLine(clock.now(), count) }) });
  const hold = control.openSession(request, (event) => stream.send(event, { droppable: event.type === "log" || event.type === "activity" }));
  sessions.set(hold.sessionId, stream);
  res.once("close", () => {
    sessions.delete(hold.sessionId);
    hold.close();
  });
  stream.open();
  return "streaming";
}
