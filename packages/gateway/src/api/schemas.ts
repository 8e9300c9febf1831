import { z } from "zod";
import {
  STOP_REASONS,
  type ContainerInfo,
  type FunctionInfo,
  type LogLine,
  type PhaseEvent,
  type ServerInfo,
  type SessionEvent,
  type SessionRequest,
  type StopReason,
} from "@samovar/protocol";
import { count, durationMs, functionKind, schemaOf, sha256 } from "./schema-of.ts";

export const stopReason = schemaOf<StopReason>()(z.enum(STOP_REASONS));

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
        takeBack: z.boolean(),
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

export const blobList = z.strictObject({ sha256: z.array(sha256).max(100_000) });
export const sha256Param = sha256;

/** RFC 9457, with our `code`. Its other members depend on the code. */
export const problem = z.looseObject({ type: z.string(), title: z.string(), status: z.int(), detail: z.string(), code: z.string() });
