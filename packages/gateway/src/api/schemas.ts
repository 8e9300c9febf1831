import { z } from "zod";
import type {
  AppRequest,
  AppResponse,
  ContainerInfo,
  FunctionInfo,
  LogLine,
  PhaseEvent,
  ServerInfo,
  SessionEvent,
  SessionRequest,
  StopReason,
} from "@samovar/protocol";

/**
 * The bodies of the control API as schemas. Each is held against its type in the protocol, both ways: a field
 * that is added there and not here, or the other way round, doesn't compile.
 */
type Immutable<T> = T extends object ? { readonly [K in keyof T]: Immutable<T[K]> } : T;

const schemaOf =
  <T>() =>
  <S extends z.ZodType<T>>(schema: [T] extends [Immutable<z.output<S>>] ? S : never): S =>
    schema;

const count = z.int().nonnegative();
const durationMs = z.number().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, "must be a SHA-256, 64 hex digits in lower case");
const functionKind = z.enum(["endpoint", "function", "cls"]);
const jsonObject = z.record(z.string(), z.unknown());

export const stopReason = schemaOf<StopReason>()(
  z.enum([
    "idle",
    "scale-down",
    "new-version",
    "single-use",
    "max-inputs",
    "stop",
    "shutdown",
    "reload",
    "interrupt",
    "replaced",
    "room",
    "server-lost",
    "done",
  ]),
);

const phase = z.enum(["create", "build", "deploy", "load", "start", "ready", "drain", "stop", "exit"]);

export const phaseEvent = schemaOf<PhaseEvent>()(
  z.strictObject({
    phase,
    workerIndex: count.nullable(),
    hook: z.string().nullable(),
    startedAtMs: z.number(),
    durationMs,
    outcome: z.enum(["ok", "failed", "skipped"]),
    detail: z.string().nullable(),
  }),
);

export const logLine = schemaOf<LogLine>()(
  z.strictObject({
    atMs: z.number(),
    containerId: z.string(),
    function: z.string(),
    workerIndex: count.nullable(),
    stream: z.enum(["stdout", "stderr", "log"]),
    level: z.enum(["debug", "info", "warn", "error"]),
    source: z.union([
      z.strictObject({ kind: z.literal("worker") }),
      z.strictObject({ kind: z.literal("hook"), hook: z.string(), phase }),
      z.strictObject({ kind: z.literal("input"), taskId: z.string() }),
      z.strictObject({ kind: z.literal("system") }),
    ]),
    text: z.string(),
  }),
);

export const containerInfo = schemaOf<ContainerInfo>()(
  z.strictObject({
    id: z.string(),
    function: z.string(),
    functionId: z.string(),
    app: z.string(),
    version: count,
    driver: z.string(),
    state: z.string(),
    reason: z.string().nullable(),
    startedAtMs: z.number(),
    endedAtMs: z.number().nullable(),
    pid: z.int().nullable(),
    workers: count,
    inputs: z.strictObject({ running: count, done: count, failed: count }),
    parameters: z.array(z.unknown()),
    phases: z.array(phaseEvent),
  }),
);

export const functionInfo = schemaOf<FunctionInfo>()(
  z.strictObject({
    id: z.string(),
    name: z.string(),
    kind: functionKind,
    app: z.string(),
    version: count,
    session: z.string().nullable(),
    state: z.enum(["idle", "starting", "ready", "failing", "stopped"]),
    reason: z.string().nullable(),
    containers: z.strictObject({ starting: count, ready: count, draining: count }),
    pending: count,
    running: count,
  }),
);

export const serverInfo = schemaOf<ServerInfo>()(
  z.strictObject({
    version: z.string(),
    pid: z.int(),
    startedAtMs: z.number(),
    home: z.string(),
    url: z.string(),
    embedded: z.boolean(),
    driver: z.strictObject({
      name: z.string(),
      capabilities: z.strictObject({
        isolation: z.enum(["none", "namespaces", "sandbox"]),
        ownRoot: z.boolean(),
        memoryLimit: z.enum(["enforced", "watched", "none"]),
        cpuLimit: z.enum(["enforced", "none"]),
        processLimit: z.enum(["enforced", "none"]),
        killTree: z.boolean(),
        networkModes: z.array(z.enum(["host", "isolated", "none"])),
        checkpoint: z.boolean(),
        gpu: z.boolean(),
        diskLimit: z.enum(["enforced", "none"]),
        userNamespace: z.boolean(),
        exec: z.boolean(),
      }),
      missing: z.array(z.string()),
      gpus: z.array(z.strictObject({ id: z.string(), name: z.string(), memoryMib: count })),
    }),
  }),
);

export const sessionRequest = schemaOf<SessionRequest>()(z.strictObject({ kind: z.enum(["run", "serve"]), label: z.string().max(4_096) }));

export const sessionEvent = schemaOf<SessionEvent>()(
  z.union([
    z.strictObject({ type: z.literal("opened"), sessionId: z.string() }),
    z.strictObject({ type: z.literal("log"), line: logLine }),
    z.strictObject({ type: z.literal("container"), container: containerInfo }),
    z.strictObject({ type: z.literal("progress"), message: z.string() }),
    z.strictObject({ type: z.literal("note"), message: z.string() }),
    z.strictObject({ type: z.literal("activity"), atMs: z.number() }),
    z.strictObject({ type: z.literal("closing"), reason: stopReason }),
  ]),
);

const hook = z.strictObject({ name: z.string(), cacheKey: z.string() });
const callable = {
  streaming: z.boolean(),
  batch: z.strictObject({ maxBatchSize: z.int().positive(), waitMs: durationMs }).nullable(),
  inputSchema: jsonObject.nullable(),
  outputSchema: jsonObject.nullable(),
};

const functionOptions = z.strictObject({
  cpuMillis: z.number().positive(),
  cpuRequestMillis: z.number().positive(),
  memoryMib: z.number().positive(),
  memoryRequestMib: z.number().positive(),
  gpu: z.array(z.string().min(1)),
  gpuCount: count,
  diskMib: z.number().positive(),
  network: z.strictObject({ mode: z.enum(["host", "isolated", "none"]), allow: z.array(z.string().min(1)) }),
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
  maxPendingTasks: count,
  authorized: z.boolean(),
  idempotent: z.boolean(),
  headless: z.boolean(),
});

const functionManifest = z.strictObject({
  name: z.string(),
  kind: functionKind,
  exportName: z.string(),
  options: functionOptions,
  hooks: z.strictObject({ onBuild: z.array(hook), onDeploy: z.array(hook), onStart: z.array(hook), onStop: z.array(hook) }),
  handler: z.strictObject(callable).nullable(),
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
    manifest: z.strictObject({ manifestVersion: z.literal(1), app: z.string(), functions: z.array(functionManifest), hasMain: z.boolean() }),
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

export const appResponse = schemaOf<AppResponse>()(
  z.strictObject({
    app: z.string(),
    functions: z.array(z.strictObject({ name: z.string(), kind: functionKind, version: count, id: z.string(), url: z.string() })),
  }),
);

export const blobList = z.strictObject({ sha256: z.array(sha256).max(100_000) });
export const sha256Param = sha256;

/** RFC 9457, with our `code`. Its other members depend on the code. */
export const problem = z.looseObject({ type: z.string(), title: z.string(), status: z.int(), detail: z.string(), code: z.string() });
