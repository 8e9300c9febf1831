import { DEFINITION, show, type CallableDefinition, type FunctionDefinition } from "@samovar/protocol";
import type { App } from "../app.ts";
import { findSite } from "../call-site.ts";
import { createCallableHandle } from "../handles/callable-handle.ts";
import { throwMistakes, type CodeShape, type Mistake, type RawOptions } from "../options/mistakes.ts";
import { BATCH_OPTION, COMMON_OPTIONS, NAME_OPTION, SCHEMA_OPTIONS, type Draft, type OptionReader } from "../options/option-table.ts";
import { isPlainObject } from "../options/parse-values.ts";
import { mergeOptions } from "../options/merge-options.ts";
import { readOptions } from "../options/resolve-options.ts";
import { getRegistry } from "../registry.ts";
import { toJsonSchema, toValidate } from "../schema.ts";
import { isGenerator } from "./generator.ts";
import { describeHooks, HOOK_OPTIONS, readHooks } from "./hook-options.ts";
import { nameOf, type DefinitionRecord } from "./record.ts";

const CALLABLE_OPTIONS: Readonly<Record<string, OptionReader>> = { ...NAME_OPTION, ...COMMON_OPTIONS, ...SCHEMA_OPTIONS, ...BATCH_OPTION, ...HOOK_OPTIONS };

const CLASS_ONLY: Readonly<Record<string, string>> = {
  methods: 'Unknown option "methods": it belongs to app.cls(Class, { methods: […] })',
  route: 'Unknown option "route": it belongs to @method({ route })',
};

type AnyHandler = (input: never, ctx: never) => unknown;

/** What `endpoint` and `fn` do. `entry` is the function that the user called, where stacks begin. */
export function defineCallable(kind: "endpoint" | "function", app: App | null, args: readonly unknown[], entry: Function): object {
  const word = `${app ? "app." : ""}${kind === "endpoint" ? "endpoint" : "fn"}`;
  const shape: CodeShape = { subject: word, render: (options) => `${word}(${options}, handler)` };
  const [options, handler] = checkArguments(args, word, shape, entry);
  const read = (raw: RawOptions) => readOptions(raw, CALLABLE_OPTIONS, CLASS_ONLY);
  const { draft, mistakes } = read(mergeOptions(app?.options ?? {}, options));
  const streaming = isGenerator(handler);
  throwMistakes([...mistakes, ...checkBatch(draft, streaming)], options, shape, entry);

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
      schedule: null,
      methods: {},
      hooks: describeHooks(definition.hooks, (_kind, hook) => hook.run.toString()),
      requiresParameters: false,
      builds: [[]],
    }),
  };
  getRegistry().add(record);
  return handle;
}

function checkArguments(args: readonly unknown[], word: string, shape: CodeShape, entry: Function): [options: RawOptions, handler: AnyHandler] {
  const [options, handler] = args;
  if (typeof options === "function") {
    throwMistakes([{ message: `The options come first, then the handler` }], {}, shape, entry, "invalid_definition");
  }
  if (!isPlainObject(options))
    throwMistakes([{ message: `The first argument is ${show(options)}, but it takes the options` }], {}, shape, entry, "invalid_definition");
  if (typeof handler !== "function") {
    const fix: CodeShape = { ...shape, render: (text) => `${word}(${text}, async (input, ctx) => { … })` };
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

function toDefinition(
  kind: "endpoint" | "function",
  options: RawOptions,
  handler: AnyHandler,
  draft: Draft,
  streaming: boolean,
  name: () => string | null,
): FunctionDefinition {
  const callable: CallableDefinition = {
    run: handler,
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
