import { DEFINITION, show, type CallableDefinition, type FunctionDefinition } from "@samovar/protocol";
import type { App } from "../app.ts";
import { findSite } from "../call-site.ts";
import { createCallableHandle } from "../handles/callable-handle.ts";
import { throwMistakes, type CodeShape, type Mistake, type RawOptions } from "../options/mistakes.ts";
import { checkTimes, completeSchedule, SCHEDULE_ONLY, SCHEDULE_OPTIONS } from "../options/schedule-options.ts";
import { BATCH_OPTION, COMMON_OPTIONS, NAME_OPTION, SCHEMA_OPTIONS, type Draft, type OptionReader } from "../options/option-table.ts";
import { isPlainObject } from "../options/parse-values.ts";
import { mergeOptions } from "../options/merge-options.ts";
import { readOptions, type ReadOptions } from "../options/resolve-options.ts";
import { getRegistry } from "../registry.ts";
import { toJsonSchema, toValidate } from "../schema.ts";
import { CALLABLE_WORDS, type CallableKind } from "./callable-kinds.ts";
import { isGenerator } from "./generator.ts";
import { describeHooks, HOOK_OPTIONS, readHooks } from "./hook-options.ts";
import { nameOf, type DefinitionRecord } from "./record.ts";

type Known = Readonly<Record<string, OptionReader>>;

const CALLABLE_OPTIONS: Known = { ...NAME_OPTION, ...COMMON_OPTIONS, ...SCHEMA_OPTIONS, ...BATCH_OPTION, ...HOOK_OPTIONS };
const { input: _input, ...OUTPUT_OPTION } = SCHEMA_OPTIONS;
const OF_SCHEDULES: Known = { ...NAME_OPTION, ...SCHEDULE_OPTIONS, ...COMMON_OPTIONS, ...OUTPUT_OPTION, ...HOOK_OPTIONS };

const CLASS_ONLY: Readonly<Record<string, string>> = {
  methods: 'Unknown option "methods": it belongs to app.cls(Class, { methods: […] })',
  route: 'Unknown option "route": it belongs to @method({ route })',
};
const NOT_CALLABLES: Readonly<Record<string, string>> = { ...CLASS_ONLY, ...SCHEDULE_ONLY };
const NOT_SCHEDULES: Readonly<Record<string, string>> = {
  ...CLASS_ONLY,
  input: 'Unknown option "input": a schedule is called by time and has no input',
  batch: 'Unknown option "batch": a schedule is called by time and has no inputs to gather',
};

type AnyHandler = (input: never, ctx: never) => unknown;

/** What `endpoint`, `fn`, `taskQueue` and `schedule` do. `entry` is the function that the user called, where stacks begin. */
export function defineCallable(kind: CallableKind, app: App | null, args: readonly unknown[], entry: Function): object {
  const word = `${app ? "app." : ""}${CALLABLE_WORDS[kind]}`;
  const shape: CodeShape = { subject: word, render: (options) => `${word}(${options}, handler)` };
  const [options, handler] = checkArguments(kind, args, word, shape, entry);
  const read = (raw: RawOptions) => (kind === "schedule" ? readSchedule(raw) : readOptions(raw, CALLABLE_OPTIONS, NOT_CALLABLES));
  const { draft, mistakes } = read(mergeOptions(app?.options ?? {}, options));
  const streaming = isGenerator(handler);
  throwMistakes([...mistakes, ...checkBatch(draft, streaming), ...checkStreaming(kind, streaming, word)], options, shape, entry);

  const definition = toDefinition(kind, options, handler, draft, streaming, () => nameOf(record));
  const handle = createCallableHandle(kind, definition, () => nameOf(record));
  Object.defineProperty(handle, DEFINITION, { value: definition });
  const record: DefinitionRecord = {
    kind,
    handle,
    definition,
    ownName: draft.name ?? null,
    exportName: null,
    app,
    options,
    shape,
    site: findSite(entry),
    label: `${word}(…)`,
    read,
    batchSize: draft.batch?.maxBatchSize ?? 1,
    describe: () => ({
      handler: { streaming, batch: draft.batch ?? null, inputSchema: toJsonSchema(draft.input, "input"), outputSchema: toJsonSchema(draft.output, "output") },
      schedule: kind === "schedule" ? completeSchedule(draft) : null,
      methods: {},
      hooks: describeHooks(definition.hooks, (_kind, hook) => hook.run.toString()),
      requiresParameters: false,
      builds: [[]],
    }),
  };
  getRegistry().add(record);
  return handle;
}

function readSchedule(raw: RawOptions): ReadOptions {
  const { draft, mistakes } = readOptions(raw, OF_SCHEDULES, NOT_SCHEDULES);
  return { draft, mistakes: [...mistakes, ...checkTimes(raw)] };
}

function checkArguments(
  kind: CallableKind,
  args: readonly unknown[],
  word: string,
  shape: CodeShape,
  entry: Function,
): [options: RawOptions, handler: AnyHandler] {
  // A queue needs no options: its defaults are good, and there is nothing that it has to be told.
  const [options, handler] = kind === "taskqueue" && args.length === 1 && typeof args[0] === "function" ? [{}, args[0]] : args;
  if (typeof options === "function") {
    throwMistakes([{ message: `The options come first, then the handler` }], {}, shape, entry, "invalid_definition");
  }
  if (!isPlainObject(options))
    throwMistakes([{ message: `The first argument is ${show(options)}, but it takes the options` }], {}, shape, entry, "invalid_definition");
  if (typeof handler !== "function") {
    const parameters = kind === "schedule" ? "ctx" : "input, ctx";
    const fix: CodeShape = { ...shape, render: (text) => `${word}(${text}, async (${parameters}) => { … })` };
    throwMistakes([{ message: `The handler is ${show(handler)}, but it takes a function` }], options as RawOptions, fix, entry, "invalid_definition");
  }
  return [options as RawOptions, handler as AnyHandler];
}

function checkBatch(draft: Draft, streaming: boolean): Mistake[] {
  if (!draft.batch || !streaming) return [];
  return [
    {
      message: "batch and a generator contradict each other: a batch handler returns a list, one result for each input",
      mend: (options) => delete options.batch,
    },
  ];
}

/** What a task gives is kept until somebody asks: a stream would be read by nobody. */
function checkStreaming(kind: CallableKind, streaming: boolean, word: string): Mistake[] {
  if (!streaming || (kind !== "taskqueue" && kind !== "schedule")) return [];
  return [
    {
      message: `The handler is a generator, but what ${kind === "schedule" ? "a schedule" : "a task queue"} gives is one result, not a stream`,
      write: `${word}({ … }, async (${kind === "schedule" ? "ctx" : "input, ctx"}) => { … return result; })`,
    },
  ];
}

/** A schedule's handler has one parameter; the moment that its task stands for comes as the input. */
const toScheduled =
  (handler: (ctx: never) => unknown): AnyHandler =>
  (input: unknown, ctx: object) => {
    const scheduledAt = readTick(input);
    Object.defineProperty(ctx, "scheduledAt", { value: scheduledAt, enumerable: true });
    return handler(ctx as never);
  };

/** Run by hand it has no tick, or whatever its caller sent. */
function readTick(input: unknown): Date {
  const at = new Date(isPlainObject(input) && typeof input.tickAtMs === "number" ? input.tickAtMs : Date.now());
  return Number.isNaN(at.getTime()) ? new Date() : at;
}

function toDefinition(
  kind: CallableKind,
  options: RawOptions,
  handler: AnyHandler,
  draft: Draft,
  streaming: boolean,
  name: () => string | null,
): FunctionDefinition {
  const callable: CallableDefinition = {
    run: kind === "schedule" ? toScheduled(handler as (ctx: never) => unknown) : handler,
    streaming,
    batch: draft.batch ?? null,
    validateInput: toValidate(draft.input),
    validateOutput: toValidate(draft.output),
    retryOn: toRetryOn(draft),
  };
  return {
    kind,
    get name() {
      return name();
    },
    hooks: readHooks(options),
    handler: callable,
    cls: null,
  };
}

/** `retries.on` as a question: subclasses count. */
export function toRetryOn(draft: Draft): ((error: unknown) => boolean) | null {
  const { retryOn } = draft;
  return retryOn ? (error) => retryOn.some((errorClass) => error instanceof errorClass) : null;
}
