import { z } from "zod";
import { parseScalingPatch } from "@samovar/protocol";
import { assertApp, mayTouch } from "../authenticator.ts";
import { defineRoute, type ApiContext, type ApiRoute } from "./api-route.ts";
import { scalingRequest } from "./deployment-schemas.ts";
import { DEPLOY, json, name } from "./route-parts.ts";
import { functionInfo } from "./schemas.ts";

export const FUNCTION_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/functions",
    operationId: "listFunctions",
    summary: "Functions and their pools",
    scopes: DEPLOY,
    ofOneApp: true,
    answer: { status: 200, description: "Those that the token may see", schema: z.strictObject({ functions: z.array(functionInfo) }) },
    handle: ({ control }, { principal }) => json({ functions: control.functions().filter(({ app }) => mayTouch(principal, app)) }),
  }),
  defineRoute({
    method: "patch",
    path: "/functions/{idOrName}/scaling",
    operationId: "scaleFunction",
    summary: "Change how many containers a function has, until its next deploy; what is left out stays as it is",
    scopes: DEPLOY,
    containers: true,
    ofOneApp: true,
    params: z.strictObject({ idOrName: name }),
    body: scalingRequest,
    answer: { status: 200, description: "The function as it is scaled now", schema: functionInfo },
    async handle(context, { params, body, principal }) {
      const app = appOf(context, params.idOrName);
      // Without one there is nothing to touch: the control plane says so, and what is near.
      if (app !== undefined) assertApp(principal, app, `The function "${params.idOrName}"`);
      return json(await context.control.scale(params.idOrName, parseScalingPatch(body)));
    },
  }),
];

/** A name belongs to the app that deployed it last, whichever version is active. */
function appOf({ control, functions }: ApiContext, idOrName: string): string | undefined {
  const name = idOrName.toLowerCase();
  const deployment = control.deployments.list().find((each) => each.name.toLowerCase() === name || each.id === idOrName);
  return deployment?.app ?? (functions.byId(idOrName) ?? functions.list().find((entry) => entry.name.toLowerCase() === name))?.app;
}
