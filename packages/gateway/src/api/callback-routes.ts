import { z } from "zod";
import { SamovarError, show } from "@samovar/protocol";
import { assertApp, mayTouch } from "../authenticator.ts";
import { defineRoute, type ApiRoute } from "./api-route.ts";
import { ANY, DEPLOY, id, json, limit, name } from "./route-parts.ts";
import { moment, momentToMs, ofApp } from "./task-filter.ts";
import { callbackInfo, callbackState } from "./task-schemas.ts";

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
      app: name.optional(),
      limit: limit.optional().describe("At most so many, up to 1000. Default: 100"),
      cursor: z.string().min(1).max(100).optional().describe("Of the page before"),
    }),
    answer: {
      status: 200,
      description: "Those that the token may see",
      schema: z.strictObject({ callbacks: z.array(callbackInfo), cursor: z.string().nullable().describe("For the next page") }),
    },
    async handle({ control }, { principal, query }) {
      const most = query.limit ?? DEFAULT_LIMIT;
      const filter = {
        // One more tells whether there are more.
        limit: most + 1,
        ...(query.state === undefined ? {} : { state: query.state }),
        ...ofApp(principal, query.app),
        ...(query.cursor === undefined ? {} : { before: query.cursor }),
      };
      const found = await control.callbacks.list(filter);
      const callbacks = found.slice(0, most);
      return json({ callbacks, cursor: found.length > most ? callbacks.at(-1)!.id : null });
    },
  }),
  defineRoute({
    method: "get",
    path: "/callbacks/secret",
    operationId: "getCallbackSecret",
    summary: "What the callbacks of an app are signed with",
    scopes: DEPLOY,
    ofOneApp: true,
    query: z.strictObject({ app: name.optional().describe("Needed with a token of all apps") }),
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
    path: "/callbacks/retry",
    operationId: "retryCallbacks",
    summary: "Send all callbacks once more that failed for good and match, from the beginning",
    scopes: DEPLOY,
    ofOneApp: true,
    body: z.strictObject({
      state: z.literal("failed").describe("No others can be sent once more"),
      app: name.exactOptional(),
      since: moment("since").exactOptional().describe('Of tasks that ended after: how long ago, such as "1h", or a date'),
    }),
    answer: { status: 200, description: "How many are sent", schema: z.strictObject({ changed: z.int().nonnegative() }) },
    async handle({ control, clock }, { principal, body }) {
      const filter = { ...ofApp(principal, body.app), ...(body.since && { createdAfterMs: momentToMs(body.since, clock.now()) }) };
      return json({ changed: await control.callbacks.retryFailed(filter) });
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
