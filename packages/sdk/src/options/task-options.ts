import { MAX_TASK_KEY_LENGTH, parseDuration, show, type Duration, type PutTask } from "@samovar/protocol";
import { throwMistakes, type CodeShape, type RawOptions } from "./mistakes.ts";
import type { Draft, OptionReader } from "./option-table.ts";
import { durationIn, isPlainObject, parseOr, SECOND_MS, WrongValue, YEAR_MS } from "./parse-values.ts";
import { readOptions } from "./resolve-options.ts";

/** How one task waits, and for how long. */
export interface PutOptions {
  /** It begins no earlier than so long from now, up to a year. Default 0. */
  readonly delay?: Duration;
  /**
   * A head start: it is treated as if it had waited so much longer than it has. Nothing waits for ever, as those behind it
   * grow older too. Below 0: others go first. Up to a year. Default 0.
   */
  readonly priority?: Duration;
  /** Expires when no attempt has begun so long after it might have (after `delay`), 1 s to a year. Default: the function's `ttl`. */
  readonly ttl?: Duration;
  /**
   * Names the piece of work: within 24 h the same key is the same task, whose handle is given. With another input it is
   * refused with `idempotency_conflict`. At most 255 characters.
   */
  readonly idempotencyKey?: string;
  /** Tasks of one key run one after another, in the order of their coming. At most 255 characters. */
  readonly concurrencyKey?: string;
  /** Aborting it before the answer is there gives the request up; what is queued stays. */
  readonly signal?: AbortSignal;
}

/** For many at once: the same for all, or by input. A key for all of them would make them one task. */
export type PutManyOptions<I> = Omit<PutOptions, "idempotencyKey"> | ((input: I, index: number) => PutOptions | undefined);

type TaskFields = { -readonly [K in keyof Omit<PutTask, "input">]: PutTask[K] };

type FieldReader = (value: unknown, task: TaskFields, name: string) => void;

const FIELDS: Readonly<Record<string, FieldReader>> = {
  delay: (value, task, name) => (task.delayMs = durationIn(value, name, { minMs: 0, maxMs: YEAR_MS })!),
  priority: (value, task, name) => (task.priorityMs = readPriority(value, name)),
  ttl: (value, task, name) => (task.ttlMs = durationIn(value, name, { minMs: SECOND_MS, maxMs: YEAR_MS })!),
  idempotencyKey: (value, task, name) => (task.idempotencyKey = readKey(value, name)),
  concurrencyKey: (value, task, name) => (task.concurrencyKey = readKey(value, name)),
  signal: (value, _task, name) => {
    if (!(value instanceof AbortSignal)) throw new WrongValue(`${name} is ${show(value)}, but it takes an AbortSignal`);
  },
};

/** Reads the options of one task. `call` is how it is written, such as `orders.put`; `entry` where stacks begin. */
export function readPutOptions(value: unknown, call: string, entry: Function): { readonly task: TaskFields; readonly signal?: AbortSignal } {
  const task: TaskFields = {};
  if (value === undefined) return { task };
  const shape: CodeShape = { subject: call, render: (text) => `await ${call}(${call.endsWith("Many") || call.endsWith("Map") ? "inputs" : "input"}, ${text})` };
  if (!isPlainObject(value))
    throwMistakes([{ message: `The second argument is ${show(value)}, but it takes an object of ${Object.keys(FIELDS).join(", ")}` }], {}, shape, entry);
  const raw = value as RawOptions;
  const known = Object.fromEntries(
    Object.entries(FIELDS).map(([key, read]): [string, OptionReader] => [key, (field: unknown, _draft: Draft, name: string) => read(field, task, name)]),
  );
  throwMistakes(readOptions(raw, known).mistakes, raw, shape, entry);
  return raw.signal === undefined ? { task } : { task, signal: raw.signal as AbortSignal };
}

function readPriority(value: unknown, name: string): number {
  const ms = parseOr(() => parseDuration(value, name));
  if (Math.abs(ms) <= YEAR_MS) return ms;
  throw new WrongValue(`${name} is ${show(value)}, but it takes a year at most`, ms < 0 ? "-8760h" : "8760h");
}

function readKey(value: unknown, name: string): string {
  if (typeof value === "string" && value.length > 0 && value.length <= MAX_TASK_KEY_LENGTH && value.isWellFormed()) return value;
  const instead =
    typeof value === "number" || (typeof value === "string" && value !== "") ? String(value).slice(0, MAX_TASK_KEY_LENGTH).toWellFormed() : undefined;
  throw new WrongValue(`${name} is ${show(value)}, but it takes a string of 1 to ${MAX_TASK_KEY_LENGTH} characters`, instead);
}
