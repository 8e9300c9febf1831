import { z } from "zod";
import { SamovarError, show } from "@samovar/protocol";
import { assertApp, mayTouch } from "../authenticator.ts";
import { defineRoute, type ApiRoute } from "./api-route.ts";
import { ANY, DEPLOY, id, json, limit } from "./route-parts.ts";
import { callbackInfo, callbackState } from "./task-schemas.ts";

const app = z.string().min(1).max(100);
const DEFAULT_LIMIT = 100;

export const CALLBACK_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/callbacks",
    operationId: "listCallbacks",
    summary: "Callbacks that are on their way, arrived, or failed for good, newest first",
    scopes: ANY,
    ofOneApp: true,
    query: z.strictObject({
      state: callbackState.optional(),
      app: app.optional(),
      limit: limit.optional().describe("At most so many, up to 1000. Default: 100"),
    }),
    answer: { status: 200, description: "Those that the token may see", schema: z.strictObject({ callbacks: z.array(callbackInfo) }) },
    async handle({ control }, { principal, query }) {
      if (query.app !== undefined) assertApp(principal, query.app, "What is asked for");
      const only = query.app ?? principal.app;
      const filter = {
        limit: query.limit ?? DEFAULT_LIMIT,
        ...(query.state === undefined ? {} : { state: query.state }),
        ...(only === null ? {} : { app: only }),
      };
      return json({ callbacks: await control.callbacks.list(filter) });
    },
  }),
  defineRoute({
    method: "get",
    path: "/callbacks/secret",
    operationId: "getCallbackSecret",
    summary: "What the callbacks of an app are signed with",
    scopes: DEPLOY,
    ofOneApp: true,
    query: z.strictObject({ app: app.optional().describe("Needed with a token of all apps") }),
    answer: { status: 200, description: "The secret, as Standard Webhooks writes it", schema: z.strictObject({ secret: z.string() }) },
    handle({ control }, { principal, query }) {
      const of = query.app ?? principal.app;
      if (of === null) throw new SamovarError("invalid_request", "The query has no `app`: say whose callbacks, as in ?app=shop");
      assertApp(principal, of, "The secret");
      return json({ secret: control.callbacks.secret(of) });
    },
  }),
  defineRoute({
    method: "post",
    path: "/callbacks/{id}/retry",
    operationId: "retryCallback",
    summary: "Send a callback that failed for good once more, from the beginning",
    scopes: DEPLOY,
    ofOneApp: true,
    params: id,
    answer: { status: 200, description: "The callback as it is now", schema: callbackInfo },
    async handle({ control }, { principal, params }) {
      const found = await control.callbacks.get(params.id);
      if (found && mayTouch(principal, found.app)) return json(await control.callbacks.retry(params.id));
      throw new SamovarError("not_found", `No callback has the id ${show(params.id)}: list them with /api/v1/callbacks`);
    },
  }),
];
