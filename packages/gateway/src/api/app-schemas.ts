import { z } from "zod";
import { describeAllowProblem, MAX_ALLOW_ENTRIES, type AppRequest, type AppResponse, type DeployedFunction } from "@samovar/protocol";
import { count, durationMs, functionKind, jsonObject, resourceName, schemaOf, sha256 } from "./schema-of.ts";

const hook = z.strictObject({ name: z.string(), cacheKey: z.string() });
const callable = {
  streaming: z.boolean(),
  batch: z.strictObject({ maxBatchSize: z.int().positive(), waitMs: durationMs }).nullable(),
  inputSchema: jsonObject.nullable(),
  outputSchema: jsonObject.nullable(),
};

/** Whoever sends a manifest may have made it by hand. */
const allowEntry = z.string().superRefine((entry, context) => {
  const problem = describeAllowProblem(entry);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

const MAX_URL = 2_048;
const MAX_CRON = 500;

const functionOptions = z.strictObject({
  cpuMillis: z.number().positive(),
  cpuRequestMillis: z.number().positive(),
  memoryMib: z.number().positive(),
  memoryRequestMib: z.number().positive(),
  gpu: z.array(z.string().min(1)),
  gpuCount: count,
  diskMib: z.number().positive(),
  network: z.strictObject({ mode: z.enum(["host", "isolated", "none"]), allow: z.array(allowEntry).max(MAX_ALLOW_ENTRIES) }),
  env: z.record(z.string(), z.string()),
  timeoutMs: z.number().positive().nullable(),
  startupTimeoutMs: z.number().positive(),
  stopGracePeriodMs: durationMs,
  queueTimeoutMs: durationMs,
  drainTimeoutMs: durationMs,
  retries: z.strictObject({ maxRetries: count, initialDelayMs: durationMs, backoff: z.number().positive(), maxDelayMs: durationMs, jitter: z.boolean() }),
  workers: z.int().positive(),
  concurrencyMax: z.int().positive(),
  concurrencyTarget: z.int().positive(),
  maxInputsPerWorker: z.int().positive().nullable(),
  singleUse: z.boolean(),
  minContainers: count,
  maxContainers: count.nullable(),
  bufferContainers: count,
  scaledownWindowMs: durationMs.nullable(),
  tasksPerContainer: z.number().nonnegative(),
  maxPendingTasks: count.nullable(),
  taskLimit: count.exactOptional(),
  ttlMs: z.number().positive().nullable(),
  keepResultsMs: durationMs,
  callbackUrl: z.string().max(MAX_URL).nullable(),
  authorized: z.boolean(),
  idempotent: z.boolean(),
  headless: z.boolean(),
});

const scheduleManifest = z.strictObject({
  cron: z.string().min(1).max(MAX_CRON).nullable(),
  everyMs: z.number().positive().nullable(),
  timezone: z.string().min(1).max(100).nullable(),
  overlap: z.enum(["skip", "queue", "allow"]),
  catchUp: z.enum(["none", "last", "all"]),
});

const functionManifest = z.strictObject({
  name: resourceName,
  kind: functionKind,
  exportName: z.string(),
  options: functionOptions,
  hooks: z.strictObject({ onBuild: z.array(hook), onDeploy: z.array(hook), onStart: z.array(hook), onStop: z.array(hook) }),
  handler: z.strictObject(callable).nullable(),
  schedule: scheduleManifest.nullable(),
  methods: z.record(
    z.string(),
    // JSON leaves out what is undefined, and here that means "as the class".
    z
      .strictObject({ ...callable, route: z.string().nullable(), timeoutMs: z.number().positive().nullable().optional() })
      .transform(({ timeoutMs, ...rest }) => ({ ...rest, timeoutMs })),
  ),
  requiresParameters: z.boolean(),
  builds: z.array(z.array(z.unknown())),
});

const codePath = z
  .string()
  .min(1)
  .refine(
    (path) =>
      !path.startsWith("/") && !path.includes("\\") && !path.includes("\0") && !path.split("/").some((part) => part === ".." || part === "." || part === ""),
    "must be relative, with forward slashes, and never leave its folder",
  );

export const appRequest = schemaOf<AppRequest>()(
  z.strictObject({
    manifest: z.strictObject({ manifestVersion: z.literal(1), app: resourceName, functions: z.array(functionManifest), hasMain: z.boolean() }),
    code: z.strictObject({
      codeId: z.string(),
      files: z.array(z.strictObject({ path: codePath, sha256, sizeBytes: count, mode: count })),
      entry: codePath,
      nodeModules: z.array(z.string()),
    }),
    forceBuild: z.boolean().exactOptional(),
    deployKey: z.string().exactOptional(),
  }),
);

export const deployedFunction = schemaOf<DeployedFunction>()(
  z.strictObject({ name: z.string(), kind: functionKind, version: count, id: z.string(), url: z.string() }),
);

export const appResponse = schemaOf<AppResponse>()(z.strictObject({ app: z.string(), functions: z.array(deployedFunction) }));
