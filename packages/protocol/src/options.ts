import type { FunctionKind } from "./manifest.ts";

/**
 * What a function asks for, resolved: units in the names, every default filled in, nothing left to interpret.
 * The public spelling (durations, `"1Gi"`, `concurrency: 4`) is the SDK's; everything after it reads this.
 */
export interface FunctionOptions {
  readonly cpuMillis: number;
  readonly cpuRequestMillis: number;
  readonly memoryMib: number;
  readonly memoryRequestMib: number;
  /** Names of GPUs in order of preference, as the driver's inventory has them, or `any`; empty for none. */
  readonly gpu: readonly string[];
  /** How many of them; 0 without `gpu`. */
  readonly gpuCount: number;
  /** What one container may write, volumes aside. */
  readonly diskMib: number;
  readonly network: NetworkPolicy;
  readonly env: Readonly<Record<string, string>>;
  /** Per attempt; for streams between items. Null: none. */
  readonly timeoutMs: number | null;
  readonly startupTimeoutMs: number;
  readonly stopGracePeriodMs: number;
  readonly queueTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly retries: RetryPolicy;
  readonly workers: number;
  /** Inputs that one worker holds at most. */
  readonly concurrencyMax: number;
  /** Inputs per worker that scaling aims at. */
  readonly concurrencyTarget: number;
  readonly maxInputsPerWorker: number | null;
  readonly singleUse: boolean;
  readonly minContainers: number;
  /** Null: what the host can hold. */
  readonly maxContainers: number | null;
  readonly bufferContainers: number;
  /** Null: never. */
  readonly scaledownWindowMs: number | null;
  /** 0: workers × concurrencyTarget. */
  readonly tasksPerContainer: number;
  /** Null: no limit, the default of task queues, whose inputs are on disk. */
  readonly maxPendingTasks: number | null;
  /** Tasks that may wait in the queue of a function that isn't a task queue: its `maxPendingTasks`, where its author gave one. Absent: no limit. */
  readonly taskLimit?: number;
  /** A task that has not begun by then expires. Null: never. */
  readonly ttlMs: number | null;
  /** How long a task's record and result are kept after its end. */
  readonly keepResultsMs: number;
  /** A signed POST goes there at every end of a task. */
  readonly callbackUrl: string | null;
  readonly authorized: boolean;
  readonly idempotent: boolean;
  readonly headless: boolean;
}

export interface RetryPolicy {
  readonly maxRetries: number;
  readonly initialDelayMs: number;
  readonly backoff: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

/**
 * What a container can reach. `host`: the machine's own network. `isolated`: a network of its own, out of which it
 * reaches what `allow` lists and nothing else. `none`: no network. Work comes over the server's connection in all of them.
 */
export interface NetworkPolicy {
  readonly mode: "host" | "isolated" | "none";
  /** CIDRs (`10.0.0.0/8`, `2001:db8::/32`, one address) and domains (`example.com`, `*.example.com`); only with `isolated`. IPv6 ranges open nothing yet. */
  readonly allow: readonly string[];
}

/** A change to a live pool: what is absent stays as it is. The next deploy resets it. */
export interface ScalingPatch {
  readonly minContainers?: number;
  /** Null: what the host can hold. */
  readonly maxContainers?: number | null;
  readonly bufferContainers?: number;
  /** Null: never. */
  readonly scaledownWindowMs?: number | null;
  /** 0: workers × concurrencyTarget. */
  readonly tasksPerContainer?: number;
}

/** The one table of defaults (docs/lifecycle.md shows it; a test holds the two together). */
export const DEFAULT_OPTIONS: FunctionOptions = Object.freeze({
  cpuMillis: 1_000,
  cpuRequestMillis: 1_000,
  memoryMib: 512,
  memoryRequestMib: 512,
  gpu: Object.freeze([]),
  gpuCount: 0,
  diskMib: 10_240,
  network: Object.freeze({ mode: "host", allow: Object.freeze([]) }),
  env: Object.freeze({}),
  timeoutMs: 300_000,
  startupTimeoutMs: 300_000,
  stopGracePeriodMs: 30_000,
  queueTimeoutMs: 300_000,
  drainTimeoutMs: 300_000,
  retries: Object.freeze({ maxRetries: 0, initialDelayMs: 1_000, backoff: 2, maxDelayMs: 60_000, jitter: true }),
  workers: 1,
  concurrencyMax: 1,
  concurrencyTarget: 1,
  maxInputsPerWorker: null,
  singleUse: false,
  minContainers: 0,
  maxContainers: null,
  bufferContainers: 0,
  scaledownWindowMs: 60_000,
  tasksPerContainer: 0,
  maxPendingTasks: 1_000,
  ttlMs: null,
  keepResultsMs: 604_800_000,
  callbackUrl: null,
  authorized: true,
  idempotent: false,
  headless: false,
});

/** What is other for some kinds. */
export const KIND_DEFAULTS: Readonly<Partial<Record<FunctionKind, Partial<FunctionOptions>>>> = Object.freeze({
  taskqueue: Object.freeze({ retries: Object.freeze({ ...DEFAULT_OPTIONS.retries, maxRetries: 3 }), scaledownWindowMs: 10_000, maxPendingTasks: null }),
});

/** How long onBuild and onDeploy may run. */
export const BUILD_TIMEOUT_MS = 3_600_000;
