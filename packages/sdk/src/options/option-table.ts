import {
  describeNameProblem,
  parseCpuMillis,
  parseDuration,
  parseMemoryMib,
  show,
  type BatchManifest,
  type FunctionOptions,
  type RetryPolicy,
} from "@samovar/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { findNearest } from "./nearest.ts";
import { boolean, DAY_MS, durationIn, integerIn, isPlainObject, parseOr, SECOND_MS, WrongValue } from "./parse-values.ts";
import type { ErrorClass } from "./option-types.ts";
import { QueueDepthAutoscaler } from "./queue-depth-autoscaler.ts";

/** What options say, before defaults are filled in. */
export interface Draft {
  options: Partial<{ -readonly [K in keyof FunctionOptions]: FunctionOptions[K] }>;
  retries?: Partial<RetryPolicy>;
  retryOn?: readonly ErrorClass[];
  name?: string;
  batch?: BatchManifest;
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
  env: (value, draft) => (draft.options.env = readEnv(value)),
  timeout: (value, draft, name) => (draft.options.timeoutMs = durationIn(value, name, { ...LONG, never: "no limit" })),
  startupTimeout: (value, draft, name) => (draft.options.startupTimeoutMs = durationIn(value, name, LONG)!),
  stopGracePeriod: (value, draft, name) => (draft.options.stopGracePeriodMs = durationIn(value, name, LONG)!),
  queueTimeout: (value, draft, name) => (draft.options.queueTimeoutMs = durationIn(value, name, SHORT)!),
  drainTimeout: (value, draft, name) => (draft.options.drainTimeoutMs = durationIn(value, name, SHORT)!),
  retries: readRetries,
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
  assertKeys(value, name, ["request", "limit"]);
  if (value.request === undefined && value.limit === undefined) throw new WrongValue(`${name} is {}, but it takes a number or { request, limit }`);
  const limit = parseOr(() => parse(value.limit ?? value.request, `${name}.limit`));
  const request = parseOr(() => parse(value.request ?? value.limit, `${name}.request`));
  if (request > limit)
    throw new WrongValue(`${name}.request (${show(value.request)}) is above ${name}.limit (${show(value.limit)})`, {
      request: value.request,
      limit: value.request,
    });
  return [request, limit];
}

export function readEnv(value: unknown): Record<string, string> {
  const pairs = Array.isArray(value) ? value.map(readEnvLine) : isPlainObject(value) ? Object.entries(value) : undefined;
  if (!pairs) throw new WrongValue(`env is ${show(value)}, but it takes an object or a list of "K=V"`);
  const env: Record<string, string> = {};
  for (const [key, text] of pairs) {
    if (!/^[A-Za-z_]\w*$/.test(key)) throw new WrongValue(`env has the name ${show(key)}: use letters, digits and _, not beginning with a digit`);
    if (typeof text !== "string")
      throw new WrongValue(`env.${key} is ${show(text)}, but it takes a string`, { ...Object.fromEntries(pairs), [key]: String(text) });
    if (text.includes("\0")) throw new WrongValue(`env.${key} holds a zero byte, which no environment can`);
    env[key] = text;
  }
  return env;
}

function readEnvLine(line: unknown): [string, string] {
  const at = typeof line === "string" ? line.indexOf("=") : -1;
  if (at < 1) throw new WrongValue(`env has the line ${show(line)}, but each is "K=V"`);
  return [(line as string).slice(0, at), (line as string).slice(at + 1)];
}

function readRetries(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) {
    if (typeof value !== "number")
      throw new WrongValue(`${name} is ${show(value)}, but it takes a number or { maxRetries, initialDelay, backoff, maxDelay, jitter, on }`);
    draft.retries = { maxRetries: integerIn(value, name, 0) };
    return;
  }
  assertKeys(value, name, ["maxRetries", "initialDelay", "backoff", "maxDelay", "jitter", "on"]);
  const retries: { -readonly [K in keyof RetryPolicy]?: RetryPolicy[K] } = {};
  if (value.maxRetries !== undefined) retries.maxRetries = integerIn(value.maxRetries, `${name}.maxRetries`, 0);
  if (value.initialDelay !== undefined) retries.initialDelayMs = durationIn(value.initialDelay, `${name}.initialDelay`, SHORT)!;
  if (value.maxDelay !== undefined) retries.maxDelayMs = durationIn(value.maxDelay, `${name}.maxDelay`, SHORT)!;
  if (value.backoff !== undefined) {
    if (typeof value.backoff !== "number" || !(value.backoff >= 1) || value.backoff === Infinity) {
      throw new WrongValue(`${name}.backoff is ${show(value.backoff)}, but it takes a number, 1 or more`, { ...value, backoff: 2 });
    }
    retries.backoff = value.backoff;
  }
  if (value.jitter !== undefined) retries.jitter = boolean(value.jitter, `${name}.jitter`);
  if (value.on !== undefined) draft.retryOn = readErrorClasses(value.on, `${name}.on`);
  if (retries.initialDelayMs !== undefined && retries.maxDelayMs !== undefined && retries.initialDelayMs > retries.maxDelayMs) {
    throw new WrongValue(`${name}.initialDelay (${show(value.initialDelay)}) is above ${name}.maxDelay (${show(value.maxDelay)})`, {
      ...value,
      maxDelay: value.initialDelay,
    });
  }
  draft.retries = retries;
}

function readErrorClasses(value: unknown, name: string): readonly ErrorClass[] {
  const list = Array.isArray(value) ? value : [value];
  for (const item of list) {
    if (typeof item !== "function" || !(item === Error || item.prototype instanceof Error))
      throw new WrongValue(`${name} holds ${show(item)}, but it takes a list of error classes, such as [RangeError]`);
  }
  return list as ErrorClass[];
}

function readTaskPolicy(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) throw new WrongValue(`${name} is ${show(value)}, but it takes { maxRetries, timeout }`);
  assertKeys(value, name, ["maxRetries", "timeout"]);
  if (value.maxRetries !== undefined) draft.retries = { ...draft.retries, maxRetries: integerIn(value.maxRetries, `${name}.maxRetries`, 0) };
  if (value.timeout !== undefined) draft.options.timeoutMs = durationIn(value.timeout, `${name}.timeout`, { ...LONG, never: "no limit" });
}

function readConcurrency(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) {
    if (typeof value !== "number") throw new WrongValue(`${name} is ${show(value)}, but it takes a number or { max, target }`);
    draft.options.concurrencyMax = draft.options.concurrencyTarget = integerIn(value, name, 1);
    return;
  }
  assertKeys(value, name, ["max", "target"]);
  const max = integerIn(value.max ?? value.target, `${name}.max`, 1);
  const target = integerIn(value.target ?? max, `${name}.target`, 1);
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
  const options = value.options as Record<string, unknown>;
  const keys = ["minContainers", "maxContainers", "tasksPerContainer"];
  assertKeys(options, name, keys);
  for (const key of keys) if (options[key] !== undefined) COMMON_OPTIONS[key]!(options[key], draft, `${name}.${key}`);
}

export function readBatch(value: unknown, draft: Draft, name: string): void {
  if (!isPlainObject(value)) throw new WrongValue(`${name} is ${show(value)}, but it takes { maxBatchSize, wait }`, { maxBatchSize: 8, wait: "10ms" });
  assertKeys(value, name, ["maxBatchSize", "wait"]);
  const whole = { maxBatchSize: 8, wait: "10ms", ...value };
  if (value.maxBatchSize === undefined || value.wait === undefined)
    throw new WrongValue(`${name} lacks ${value.maxBatchSize === undefined ? "maxBatchSize" : "wait"}`, whole);
  draft.batch = { maxBatchSize: integerIn(value.maxBatchSize, `${name}.maxBatchSize`, 1), waitMs: parseOr(() => parseDuration(value.wait, `${name}.wait`)) };
  if (draft.batch.waitMs < 0 || draft.batch.waitMs > 3_600_000)
    throw new WrongValue(`${name}.wait is ${show(value.wait)}, but it takes 0 to 1 h`, { ...whole, wait: "10ms" });
}

export function readSchema(value: unknown, name: string): StandardSchemaV1 {
  const standard = (value as StandardSchemaV1 | null | undefined)?.["~standard"];
  if (typeof standard?.validate === "function") return value as StandardSchemaV1;
  throw new WrongValue(`${name} is ${show(value)}, but it takes a Standard Schema, such as z.object({ … }) of zod or v.object({ … }) of valibot`);
}

function assertKeys(value: Record<string, unknown>, name: string, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const nearest = findNearest(key, known);
    const { [key]: moved, ...rest } = value;
    throw new WrongValue(
      `Unknown option "${name}.${key}"${nearest ? `: did you mean "${nearest}"?` : `: it has ${known.join(", ")}`}`,
      nearest && rest[nearest] === undefined ? { ...rest, [nearest]: moved } : rest,
    );
  }
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
