import { z } from "zod";
import { defineRoute, type ApiRoute } from "./api-route.ts";
import { ADMIN, DEPLOY, NOTHING, json } from "./route-parts.ts";
import { serverInfo, stopReason } from "./schemas.ts";

export const SERVER_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/server",
    operationId: "getServer",
    summary: "What this server is",
    scopes: DEPLOY,
    ofOneApp: true,
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
    path: "/backup",
    operationId: "backup",
    summary: "Copy all that was acknowledged to a new file on the server's machine, while work goes on",
    scopes: ADMIN,
    body: z.strictObject({ to: z.string().min(1).max(4_096).describe("An absolute path where there is no file") }),
    answer: { status: 204, description: "It is there, whole" },
    async handle({ control }, { body }) {
      await control.backup(body.to);
      return NOTHING;
    },
  }),
  defineRoute({
    method: "get",
    path: "/openapi.json",
    operationId: "getOpenApi",
    summary: "This document",
    scopes: DEPLOY,
    ofOneApp: true,
    answer: { status: 200, description: "OpenAPI 3.1", schema: z.record(z.string(), z.unknown()) },
    handle: (context) => json(context.openApi()),
  }),
];
