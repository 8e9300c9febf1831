import { z } from "zod";
import type {
  DeployEvent,
  DeployRequest,
  DeployResponse,
  DeploymentDetail,
  DeploymentInfo,
  Duration,
  ScalingPatch,
  ScalingRequest,
  VersionInfo,
} from "@samovar/protocol";
import { appRequest, appResponse, deployedFunction } from "./app-schemas.ts";
import { count, functionKind, jsonObject, resourceName, schemaOf } from "./schema-of.ts";
import { functionInfo, logLine } from "./schemas.ts";

/** More functions than any module has. */
const MAX_NAMES = 10_000;

export const deployRequest = schemaOf<DeployRequest>()(
  z.strictObject({
    ...appRequest.shape,
    only: z.array(resourceName).min(1).max(MAX_NAMES).exactOptional().describe("Deploy only the functions of these names"),
    prune: z.boolean().exactOptional().describe("Stop functions of this app that the module no longer has"),
    noWait: z.boolean().exactOptional().describe("Switch without waiting for containers of the new version"),
    takeOver: z.boolean().exactOptional().describe("Take names that another app deployed"),
  }),
);

export const deployResponse = schemaOf<DeployResponse>()(
  z.strictObject({ ...appResponse.shape, deployId: z.string(), left: z.array(deployedFunction), pruned: z.array(z.string()) }),
);

export const deployEvent = schemaOf<DeployEvent>()(
  z.union([
    z.strictObject({ type: z.literal("progress"), message: z.string() }),
    z.strictObject({ type: z.literal("note"), message: z.string() }),
    z.strictObject({ type: z.literal("log"), line: logLine }),
    z.strictObject({ type: z.literal("deployed"), result: deployResponse }),
    z.strictObject({ type: z.literal("failed"), problem: jsonObject }),
  ]),
);

export const scalingPatch = schemaOf<ScalingPatch>()(
  z.strictObject({
    minContainers: z.number().exactOptional(),
    maxContainers: z.number().nullable().exactOptional().describe("Null: what the host can hold"),
    bufferContainers: z.number().exactOptional(),
    scaledownWindowMs: z.number().nullable().exactOptional().describe("Null: never"),
    tasksPerContainer: z.number().exactOptional().describe("0: workers × concurrencyTarget"),
  }),
);

/** Bounds are those of `parseScalingPatch`, which says what is wrong in the words of the option. */
export const scalingRequest = schemaOf<ScalingRequest>()(
  z.strictObject({
    ...scalingPatch.shape,
    scaledownWindow: (z.union([z.number(), z.string()]) as z.ZodType<Duration>)
      .exactOptional()
      .describe('How long an idle container is kept: seconds, or a string such as "5m"; at least 2 s, -1 for never'),
    scaledownWindowMs: scalingPatch.shape.scaledownWindowMs.describe("The same in milliseconds, in place of scaledownWindow. Null: never"),
  }),
);

const pool = functionInfo.pick({ state: true, reason: true, containers: true, pending: true, running: true });

const info = {
  name: z.string(),
  kind: functionKind,
  app: z.string(),
  state: z.enum(["active", "stopped"]),
  activeVersion: count,
  id: z.string(),
  url: z.string(),
  deployedAtMs: z.number(),
  pool,
  scaling: scalingPatch,
};

export const deploymentInfo = schemaOf<DeploymentInfo>()(z.strictObject(info));

export const versionInfo = schemaOf<VersionInfo>()(
  z.strictObject({
    version: count,
    id: z.string(),
    deployId: z.string(),
    active: z.boolean(),
    deployedAtMs: z.number(),
    codeId: z.string(),
    url: z.string(),
    pool,
  }),
);

export const deploymentDetail = schemaOf<DeploymentDetail>()(z.strictObject({ ...info, versions: z.array(versionInfo) }));
