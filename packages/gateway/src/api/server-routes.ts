import { z } from "zod";
import { defineRoute, type ApiRoute } from "./api-route.ts";
import { ADMIN, DEPLOY, json } from "./route-parts.ts";
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
