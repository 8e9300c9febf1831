import type { ServerResponse } from "node:http";
import { z } from "zod";
import { SamovarError, show, type DeployRequest, type DeploymentDetail } from "@samovar/protocol";
import { assertApp, mayTouch, type Principal } from "../authenticator.ts";
import { encodeProblem, toProblem, toSamovarError } from "../problem.ts";
import { isPublic } from "../route.ts";
import { defineRoute, type ApiAnswer, type ApiContext, type ApiRoute } from "./api-route.ts";
import { createDeploymentOpenApi } from "./deployment-openapi.ts";
import { deployEvent, deployRequest, deploymentDetail, deploymentInfo } from "./deployment-schemas.ts";
import type { PushStream } from "./push-stream.ts";
import { ANY, DEPLOY, MAX_APP_BYTES, NOTHING, assertMayMount, droppedLine, json, name, openStream } from "./route-parts.ts";
import { jsonObject } from "./schema-of.ts";

const nameParam = z.strictObject({ name });
const versionNumber = z.int().positive();
const versionText = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a version's number, such as 2")
  .transform(Number);
const deployments = z.strictObject({ deployments: z.array(deploymentInfo) });

export const DEPLOYMENT_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "post",
    path: "/deployments",
    operationId: "deploy",
    summary: "Deploy an app: all of its functions or none; hanging up before the last event gives it up",
    scopes: DEPLOY,
    ofOneApp: true,
    body: deployRequest,
    maxBodyBytes: MAX_APP_BYTES,
    answer: { status: 200, description: "Events, the last one `deployed` or `failed`", schema: deployEvent, stream: true },
    handle(context, { body, principal, res }) {
      if (context.isDraining()) throw new SamovarError("shutting_down", "The server is shutting down: deploy when it is back");
      assertApp(principal, body.manifest.app, "This deploy");
      assertMayMount(principal, body.code.nodeModules);
      if (principal.app !== null && body.takeOver === true) {
        throw new SamovarError(
          "forbidden",
          `The token "${principal.name}" is for the app "${principal.app}" only: it may not take names that other apps deployed, leave out takeOver`,
        );
      }
      return streamDeploy(context, body, res);
    },
  }),
  defineRoute({
    method: "get",
    path: "/deployments",
    operationId: "listDeployments",
    summary: "What is deployed",
    scopes: ANY,
    ofOneApp: true,
    answer: { status: 200, description: "Those that the token may see", schema: deployments },
    handle: ({ control }, { principal }) => json({ deployments: control.deployments.list().filter(({ app }) => mayTouch(principal, app)) }),
  }),
  defineRoute({
    method: "get",
    path: "/deployments/{name}",
    operationId: "getDeployment",
    summary: "A deployment and its versions",
    scopes: ANY,
    ofOneApp: true,
    params: nameParam,
    answer: { status: 200, description: "The deployment", schema: deploymentDetail },
    handle: (context, { params, principal }) => json(findDeployment(context, principal, params.name)),
  }),
  defineRoute({
    method: "get",
    path: "/deployments/{name}/openapi.json",
    operationId: "getDeploymentOpenApi",
    summary: "How a deployment is called",
    scopes: ANY,
    ofOneApp: true,
    params: nameParam,
    query: z.strictObject({ version: versionText.optional().describe("Default: the active one") }),
    answer: { status: 200, description: "OpenAPI 3.1", schema: jsonObject },
    handle(context, { params, query, principal }) {
      const deployment = findDeployment(context, principal, params.name);
      const version = query.version ?? deployment.activeVersion;
      const found = deployment.versions.find((each) => each.version === version);
      const entry = found && context.functions.byId(found.id);
      if (!entry) throw noVersion(deployment, version);
      const { url } = context.control.server();
      const described = { manifest: entry.manifest, name: deployment.name, version, asVersion: query.version !== undefined, url };
      return json(createDeploymentOpenApi({ ...described, authorized: !isPublic(entry, context.functions) }));
    },
  }),
  defineRoute({
    method: "post",
    path: "/deployments/{name}/stop",
    operationId: "stopDeployment",
    summary: "Drain its containers and refuse calls",
    scopes: DEPLOY,
    ofOneApp: true,
    params: nameParam,
    answer: { status: 200, description: "The deployment, stopped", schema: deploymentInfo },
    async handle(context, { params, principal }) {
      findDeployment(context, principal, params.name);
      return json(await context.control.deployments.stop(params.name));
    },
  }),
  defineRoute({
    method: "post",
    path: "/deployments/{name}/start",
    operationId: "startDeployment",
    summary: "Take calls again",
    scopes: DEPLOY,
    ofOneApp: true,
    params: nameParam,
    answer: { status: 200, description: "The deployment, active", schema: deploymentInfo },
    async handle(context, { params, principal }) {
      findDeployment(context, principal, params.name);
      return json(await context.control.deployments.start(params.name));
    },
  }),
  defineRoute({
    method: "post",
    path: "/deployments/{name}/rollback",
    operationId: "rollbackDeployment",
    summary: "Make another version the active one; without a version, the newest before it",
    scopes: DEPLOY,
    ofOneApp: true,
    params: nameParam,
    body: z.strictObject({ version: versionNumber.optional() }),
    bodyRequired: false,
    answer: { status: 200, description: "The deployment with its version", schema: deploymentInfo },
    async handle(context, { params, body, principal }) {
      findDeployment(context, principal, params.name);
      return json(await context.control.deployments.rollback(params.name, body.version ?? null));
    },
  }),
  defineRoute({
    method: "post",
    path: "/apps/{app}/rollback",
    operationId: "rollbackApp",
    summary: "An app to what it was before its last deploy",
    scopes: DEPLOY,
    ofOneApp: true,
    params: z.strictObject({ app: name }),
    body: z.strictObject({}),
    bodyRequired: false,
    answer: { status: 200, description: "Its deployments with their versions", schema: deployments },
    async handle({ control }, { params, principal }) {
      assertApp(principal, params.app, "This rollback");
      return json({ deployments: await control.deployments.rollbackApp(params.app) });
    },
  }),
  defineRoute({
    method: "delete",
    path: "/deployments/{name}",
    operationId: "deleteDeployment",
    summary: "Delete a deployment with all versions, or one version that is not active",
    scopes: DEPLOY,
    ofOneApp: true,
    params: nameParam,
    query: z.strictObject({ version: versionText.optional().describe("Only this one") }),
    answer: { status: 204, description: "It is gone" },
    async handle(context, { params, query, principal }) {
      findDeployment(context, principal, params.name);
      await context.control.deployments.delete(params.name, query.version ?? null);
      return NOTHING;
    },
  }),
];

/** Throws `not_found` for what isn't deployed and `forbidden` for what is another app's than the token's. */
function findDeployment({ control }: ApiContext, principal: Principal, name: string): DeploymentDetail {
  const deployment = control.deployments.get(name);
  assertApp(principal, deployment.app, `The deployment ${show(deployment.name)}`);
  return deployment;
}

function noVersion(deployment: DeploymentDetail, version: number): SamovarError {
  const known = deployment.versions.map((each) => each.version).join(", ");
  return new SamovarError("not_found", `${deployment.name} has no version ${version}: it has ${known}`);
}

/** The stream is opened at once: whoever waits for a long hook must not take the silence for a server that is gone. */
function streamDeploy(context: ApiContext, request: DeployRequest, res: ServerResponse): ApiAnswer {
  const { clock } = context;
  const stream = openStream(context, res, { describeDropped: (count) => ({ type: "log", line: droppedLine(clock.now(), count) }) });
  const hungUp = new AbortController();
  res.once("close", () => hungUp.abort());
  stream.open();
  void run(context, request, stream, hungUp.signal);
  return "streaming";
}

async function run({ control, logger }: ApiContext, request: DeployRequest, stream: PushStream, signal: AbortSignal): Promise<void> {
  try {
    const result = await control.deployments.deploy(request, (event) => stream.send(event, { droppable: event.type === "log" }), signal);
    stream.send({ type: "deployed", result }, { droppable: false });
  } catch (thrown) {
    const error = toSamovarError(thrown);
    if (error.code === "internal") logger.error({ error: thrown }, "A deploy failed in the server");
    stream.send({ type: "failed", problem: JSON.parse(encodeProblem(toProblem(error)).toString()) as unknown }, { droppable: false });
  }
  stream.end();
}
