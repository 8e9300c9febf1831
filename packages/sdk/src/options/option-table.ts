import {
  describeNameProblem,
  parseCpuMillis,
  parseDuration,
  parseMemoryMib,
  show,
  type BatchManifest,
  type FunctionOptions,
  type NetworkPolicy,
  type RetryPolicy,
  type ScheduleManifest,
} from "@samovar/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { readCallbackUrl } from "./callback-option.ts";
import { readGpu, readGpuCount } from "./gpu-option.ts";
import { readAllow, readNetwork } from "./network-option.ts";
import { boolean, DAY_MS, durationIn, integerIn, isPlainObject, parseOr, SECOND_MS, WrongValue, YEAR_MS } from "./parse-values.ts";
import type { ErrorClass } from "./option-types.ts";
import { readFields } from "./read-fields.ts";
import { QueueDepthAutoscaler } from "./queue-depth-autoscaler.ts";

/** What options say, before defaults are filled in. */
export interface Draft {
  options: Partial<{ -readonly [K in keyof FunctionOptions]: FunctionOptions[K] }>;
  retries?: Partial<RetryPolicy>;
  retryOn?: readonly ErrorClass[];
  /** How many GPUs the names of `gpu` say, as `T4:2` does. */
  gpuNameCount?: number;
  network?: { readonly mode: NetworkPolicy["mode"]; readonly allow?: readonly string[] };
  /** The option beside `network`. */
  allow?: readonly string[];
  name?: string;
  batch?: BatchManifest;
  /** Of the kind `schedule`. */
  schedule?: { -readonly [K in keyof ScheduleManifest]?: ScheduleManifest[K] };
  input?: StandardSchemaV1;
  output?: StandardSchemaV1;
}

/** Reads one option into the draft; throws `WrongValue`. */
export type OptionReader = (value: unknown, draft: Draft, name: string) => void;

const LONG = { minMs: SECOND_MS, maxMs: DAY_MS };
const SHORT = { minMs: 0, maxMs: DAY_MS };

/** The options of every kind. One row each: what is not here does not exist. */
export const COMMON_OPTIONS: Readonly<Record<string, OptionReader>> = {
  cpu: (value, draft, name) => {
    const [request, limit] = readRequestAndLimit(value, name, parseCpuMillis);
    draft.options.cpuRequestMillis = request;
    draft.options.cpuMillis = limit;
  },
  memory: (value, draft, name) => {
    const [request, limit] = readRequestAndLimit(value, name, parseMemoryMib);
    draft.options.memoryRequestMib = request;
    draft.options.memoryMib = limit;
  },
  gpu: readGpu,
  gpuCount: readGpuCount,
  disk: (value, draft, name) => (draft.options.diskMib = parseOr(() => parseMemoryMib(value, name, "an amount of disk"))),
  network: readNetwork,
  allow: readAllow,
  env: (value, draft) => (draft.options.env = readEnv(value)),
  timeout: (value, draft, name) => (draft.options.timeoutMs = durationIn(value, name, { ...LONG, never: "no limit" })),
  startupTimeout: (value, draft, name) => (draft.options.startupTimeoutMs = durationIn(value, name, LONG)!),
  stopGracePeriod: (value, draft, name) => (draft.options.stopGracePeriodMs = durationIn(value, name, LONG)!),
  queueTimeout: (value, draft, name) => (draft.options.queueTimeoutMs = durationIn(value, name, SHORT)!),
  drainTimeout: (value, draft, name) => (draft.options.drainTimeoutMs = durationIn(value, name, SHORT)!),
  retries: readRetries,
  ttl: readTtl,
  taskPolicy: readTaskPolicy,
  workers: (value, draft, name) => (draft.options.workers = integerIn(value, name, 1)),
  concurrency: readConcurrency,
  maxInputsPerWorker: (value, draft, name) => (draft.options.maxInputsPerWorker = integerIn(value, name, 1)),
  singleUse: (value, draft, name) => (draft.options.singleUse = boolean(value, name)),
  minContainers: (value, draft, name) => (draft.options.minContainers = integerIn(value, name, 0)),
  maxContainers: (value, draft, name) => (draft.options.maxContainers = integerIn(value, name, 1)),
  bufferContainers: (value, draft, name) => (draft.options.bufferContainers = integerIn(value, name, 0)),
  scaledownWindow: readWindow,
  keepWarmSeconds: readWindow,
  autoscaler: readAutoscaler,
  tasksPerContainer: (value, draft, name) => (draft.options.tasksPerContainer = integerIn(value, name, 0)),
  maxPendingTasks: (value, draft, name) => (draft.options.maxPendingTasks = integerIn(value, name, 1)),
  keepResults: (value, draft, name) => (draft.options.keepResultsMs = durationIn(value, name, { minMs: 60_000, maxMs: YEAR_MS })!),
  callbackUrl: (value, draft, name) => (draft.options.callbackUrl = readCallbackUrl(value, name)),
  authorized: (value, draft, name) => (draft.options.authorized = boolean(value, name)),
  idempotent: (value, draft, name) => (draft.options.idempotent = boolean(value, name)),
  headless: (value, draft, name) => (draft.options.headless = boolean(value, name)),
};

export const NAME_OPTION: Readonly<Record<string, OptionReader>> = {
  name: (value, draft) => {
    if (typeof value !== "string") throw new WrongValue(`name is ${show(value)}, but it takes a string`);
    const problem = describeNameProblem(value);
    if (problem) throw new WrongValue(`name: ${problem}`, suggestName(value));
    draft.name = value;
  },
};

export const SCHEMA_OPTIONS: Readonly<Record<string, OptionReader>> = {
  input: (value, draft, name) => (draft.input = readSchema(value, name)),
  output: (value, draft, name) => (draft.output = readSchema(value, name)),
};

export const BATCH_OPTION: Readonly<Record<string, OptionReader>> = { batch: readBatch };

function readWindow(value: unknown, draft: Draft, name: string): void {
  draft.options.scaledownWindowMs = durationIn(value, name, { minMs: 2 * SECOND_MS, maxMs: Infinity, never: "never" });
}

function readRequestAndLimit(value: unknown, name: string, parse: (value: unknown, what: string) => number): [request: number, limit: number] {
  if (!isPlainObject(value)) {
    const amount = parseOr(() => parse(value, name));
    return [amount, amount];
  }
  const read = (amount: unknown, what: string): void => void parseOr(() => parse(amount, what));
  readFields(value, name, { request: read, limit: read });
  if (value.request === undefined && value.limit === undefined) throw new WrongValue(`${name} is {}, but it takes a number or { request, limit }`);
  const limit = parse(value.limit ?? value.request, `${name}.limit`);
  const request = parse(value.request ?? value.limit, `${name}.request`);
  if (request > limit)
    throw new WrongValue(`${name}.request (${show(value.request)}) is above ${name}.limit (${show(value.limit)})`, {
      request: value.request,
      limit: value.request,
    });
  return [request, limit];
}

export function readEnv(value: unknown): Record<string, string> {
  const lines = Array.isArray(value) ? value.map(readEnvLine) : [];
  const pairs = Array.isArray(value) ? lines.filter((line) => typeof line !== "string") : isPlainObject(value) ? Object.entries(value) : undefined;
  if (!pairs) throw new WrongValue(`env is ${show(value)}, but it takes an object or a list of "K=V"`);
  const env: Record<string, string> = {};
  const messages: string[] = lines.flatMap((line) => (typeof line === "string" ? [line] : []));
  for (const [key, text] of pairs) {
    if (!/^[A-Za-z_]\w*$/.test(key)) messages.push(`env has the name ${show(key)}: use letters, digits and _, not beginning with a digit`);
    else if (typeof text !== "string") {
      messages.push(`env.${key} is ${show(text)}, but it takes a string`);
      if (typeof text === "number" || typeof text === "boolean") env[key] = String(text);
    } else if (text.includes("\0")) messages.push(`env.${key} holds a zero byte, which no environment can`);
    else env[key] = text;
  }
  if (messages.length > 0) throw new WrongValue(messages, Object.keys(env).length > 0 ? env : undefined);
  return env;
}

/** Name and value; or what is wrong with the line. */
function readEnvLine(line: unknown): [string, string] | string {
  const at = typeof line === "string" ? line.indexOf("=") : -1;
  if (at < 1) return `env has the line ${show(line)}, but each is "K=V"`;
  return [(line as string).slice(0, at), (line as string).slice(at + 1)];
}

function readRetries(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) {
    if (typeof value !== "number")
      throw new WrongValue(`${name} is ${show(value)}, but it takes a number or { maxRetries, initialDelay, backoff, maxDelay, jitter, on }`);
    draft.retries = { maxRetries: integerIn(value, name, 0) };
    return;
  }
  const retries: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] } = {};
  let retryOn: readonly ErrorClass[] | undefined;
  readFields(value, name, {
    maxRetries: (field, what) => (retries.maxRetries = integerIn(field, what, 0)),
    initialDelay: (field, what) => (retries.initialDelayMs = durationIn(field, what, SHORT)!),
    backoff: (field, what) => (retries.backoff = readBackoff(field, what)),
    maxDelay: (field, what) => (retries.maxDelayMs = durationIn(field, what, SHORT)!),
    jitter: (field, what) => (retries.jitter = boolean(field, what)),
    on: (field, what) => (retryOn = readErrorClasses(field, what)),
  });
  if (retries.initialDelayMs !== undefined && retries.maxDelayMs !== undefined && retries.initialDelayMs > retries.maxDelayMs) {
    throw new WrongValue(`${name}.initialDelay (${show(value.initialDelay)}) is above ${name}.maxDelay (${show(value.maxDelay)})`, {
      ...value,
      maxDelay: value.initialDelay,
    });
  }
  draft.retries = retries;
  if (retryOn) draft.retryOn = retryOn;
}

function readBackoff(value: unknown, name: string): number {
  if (typeof value === "number" && value >= 1 && value !== Infinity) return value;
  throw new WrongValue(`${name} is ${show(value)}, but it takes a number, 1 or more`, 2);
}

function readErrorClasses(value: unknown, name: string): readonly ErrorClass[] {
  const list = Array.isArray(value) ? value : [value];
  const wrong = list.filter((item) => !isErrorClass(item));
  if (wrong.length > 0) {
    const right = list.filter(isErrorClass);
    throw new WrongValue(
      wrong.map((item) => `${name} holds ${show(item)}, but it takes a list of error classes, such as [RangeError]`),
      right.length > 0 ? right : undefined,
    );
  }
  return list as ErrorClass[];
}

const isErrorClass = (item: unknown): boolean => typeof item === "function" && (item === Error || item.prototype instanceof Error);

function readTaskPolicy(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) throw new WrongValue(`${name} is ${show(value)}, but it takes { maxRetries, timeout, ttl }`);
  readFields(value, name, {
    maxRetries: (field, what) => (draft.retries = { ...draft.retries, maxRetries: integerIn(field, what, 0) }),
    timeout: (field, what) => (draft.options.timeoutMs = durationIn(field, what, { ...LONG, never: "no limit" })),
    ttl: (field, what) => readTtl(field, draft, what),
  });
}

function readTtl(value: unknown, draft: Draft, name: string): void {
  draft.options.ttlMs = durationIn(value, name, { minMs: SECOND_MS, maxMs: YEAR_MS, never: "never" });
}

function readConcurrency(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) {
    if (typeof value !== "number") throw new WrongValue(`${name} is ${show(value)}, but it takes a number or { max, target }`);
    draft.options.concurrencyMax = draft.options.concurrencyTarget = integerIn(value, name, 1);
    return;
  }
  const read = (field: unknown, what: string): void => void integerIn(field, what, 1);
  readFields(value, name, { max: read, target: read });
  if (value.max === undefined && value.target === undefined) throw new WrongValue(`${name} is {}, but it takes a number or { max, target }`);
  const max = (value.max ?? value.target) as number;
  const target = (value.target ?? max) as number;
  if (target > max) throw new WrongValue(`${name}.target (${target}) is above ${name}.max (${max})`, { max: target, target });
  draft.options.concurrencyMax = max;
  draft.options.concurrencyTarget = target;
}

function readAutoscaler(value: unknown, draft: Draft, name: string): void {
  if (!(value instanceof QueueDepthAutoscaler))
    throw new WrongValue(
      `${name} is ${show(value)}, but it takes new QueueDepthAutoscaler({ … })`,
      new QueueDepthAutoscaler(isPlainObject(value) ? value : {}),
    );
  const read = (key: string) => (field: unknown, what: string) => COMMON_OPTIONS[key]!(field, draft, what);
  try {
    readFields({ ...value.options }, name, Object.fromEntries(["minContainers", "maxContainers", "tasksPerContainer"].map((key) => [key, read(key)])));
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    throw new WrongValue(error.messages, new QueueDepthAutoscaler(isPlainObject(error.instead) ? error.instead : {}));
  }
}

export function readBatch(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) throw new WrongValue(`${name} is ${show(value)}, but it takes { maxBatchSize, wait }`, { maxBatchSize: 8, wait: "10ms" });
  const batch = { maxBatchSize: 0, waitMs: 0 };
  readFields(
    value,
    name,
    {
      maxBatchSize: (field, what) => (batch.maxBatchSize = integerIn(field, what, 1)),
      wait: (field, what) => (batch.waitMs = readBatchWait(field, what)),
    },
    { maxBatchSize: 8, wait: "10ms" },
  );
  draft.batch = batch;
}

function readBatchWait(value: unknown, name: string): number {
  const waitMs = parseOr(() => parseDuration(value, name));
  if (waitMs < 0 || waitMs > 3_600_000) throw new WrongValue(`${name} is ${show(value)}, but it takes 0 to 1 h`, "10ms");
  return waitMs;
}

export function readSchema(value: unknown, name: string): StandardSchemaV1 {
  const standard = (value as StandardSchemaV1 | null | undefined)?.["~standard"];
  if (typeof standard?.validate === "function") return value as StandardSchemaV1;
  throw new WrongValue(`${name} is ${show(value)}, but it takes a Standard Schema, such as z.object({ … }) of zod or v.object({ … }) of valibot`);
}

export function suggestName(name: string): string {
  if (name.toLowerCase() === "id") return "byId";
  return (
    name
      .replace(/[^A-Za-z0-9_-]+/g, "-")
      .replace(/^[-_]+/, "")
      .slice(0, 63) || "name"
  );
}
