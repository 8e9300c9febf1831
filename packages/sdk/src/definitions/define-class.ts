import { DEFINITION, show, type FunctionDefinition } from "@samovar/protocol";
import type { App } from "../app.ts";
import { findSite } from "../call-site.ts";
import { createClassHandle } from "../handles/class-handle.ts";
import { throwMistakes, type CodeShape, type Mistake, type RawOptions } from "../options/mistakes.ts";
import { COMMON_OPTIONS, NAME_OPTION, type Draft, type OptionReader } from "../options/option-table.ts";
import { isPlainObject } from "../options/parse-values.ts";
import { mergeOptions } from "../options/merge-options.ts";
import { SCHEDULE_ONLY } from "../options/schedule-options.ts";
import { readOptions, type ReadOptions } from "../options/resolve-options.ts";
import { getRegistry } from "../registry.ts";
import { BUILD_OPTION, checkBuildsGiven, checkBuildsUsed, readBuilds } from "./build-option.ts";
import { readClassHooks, sourceOfHook } from "./class-hooks.ts";
import { marksByName, methodNamesOf, requiresParameters } from "./class-members.ts";
import { checkMethods, readMethodBatch, toMethodDefinition, toMethodManifest, type RemoteMethod } from "./class-methods.ts";
import { describeHooks } from "./hook-options.ts";
import { createListOptions, readListedHooks } from "./listed-class.ts";
import { nameOf, type DefinitionRecord } from "./record.ts";

const METHOD_ONLY: Readonly<Record<string, string>> = {
  ...SCHEDULE_ONLY,
  batch: 'Unknown option "batch": it belongs to the method, as @method({ batch: { maxBatchSize, wait } })',
  input: 'Unknown option "input": it belongs to the method, as @method({ input })',
  output: 'Unknown option "output": it belongs to the method, as @method({ output })',
  route: 'Unknown option "route": it belongs to the method, as @method({ route })',
};

type Constructor = (new (...args: unknown[]) => object) & Function;

/** What `cls` and `app.cls` do. `entry` is the function that the user called, where stacks begin. */
export function defineClass(app: App | null, args: readonly unknown[], entry: Function): object {
  const word = `${app ? "app." : ""}cls`;
  const Class = args[0] as Constructor;
  const options = (args[1] ?? {}) as RawOptions;
  const shape: CodeShape = {
    subject: `${word}(${isClass(Class) ? Class.name || "class" : show(Class)})`,
    render: (text) => `${word}(${isClass(Class) ? Class.name || "Model" : "Model"}${text === "{}" ? "" : `, ${text}`})`,
  };
  if (!isClass(Class)) throwMistakes([{ message: "The first argument is not a class" }], {}, shape, entry, "invalid_definition");
  if (!isPlainObject(options)) throwMistakes([{ message: `The options are ${show(options)}, but it takes an object` }], {}, shape, entry, "invalid_definition");

  const known: Readonly<Record<string, OptionReader>> = { ...NAME_OPTION, ...COMMON_OPTIONS, ...BUILD_OPTION, ...createListOptions(Class) };
  const methods = findMethods(Class, options);
  const batchSize = Math.max(1, ...methods.map(({ options: { batch } }) => batch?.maxBatchSize ?? 1));
  const read = (raw: RawOptions): ReadOptions => {
    const { draft, mistakes } = readOptions(raw, known, METHOD_ONLY);
    return { draft, mistakes: [...mistakes, ...checkBatchSizes(draft, methods)] };
  };
  const { draft, mistakes } = read(mergeOptions(app?.options ?? {}, options));
  const ofClass = mistakes.length > 0 && options.methods !== undefined ? [] : [...checkHasMethods(Class, methods), ...checkMethods(Class, methods)];
  throwMistakes([...mistakes, ...ofClass], options, shape, entry, ofClass.length > 0 ? "invalid_definition" : "invalid_option");

  const hooks = readClassHooks(Class, readListedHooks(options));
  throwMistakes(checkBuildsUsed(options, hooks.onBuild.length > 0), options, shape, entry);
  const definition: FunctionDefinition = {
    kind: "cls",
    get name() {
      return nameOf(record);
    },
    hooks,
    handler: null,
    cls: {
      create: (parameters) => new Class(...parameters),
      methods: new Map(methods.map((one) => [one.name, toMethodDefinition(Class, one, draft)])),
    },
  };
  const handle = createClassHandle(definition, {
    Class,
    name: () => nameOf(record),
    otherMethods: methodNamesOf(Class).filter((name) => !definition.cls!.methods.has(name)),
  });
  Object.defineProperty(handle, DEFINITION, { value: definition });
  const record: DefinitionRecord = {
    kind: "cls",
    handle,
    definition,
    ownName: draft.name ?? null,
    exportName: null,
    app,
    options,
    shape,
    site: findSite(entry),
    label: shape.subject,
    read,
    batchSize,
    describe: (sources) => {
      const required = requiresParameters(Class, sources);
      throwMistakes(checkBuildsGiven(options, hooks.onBuild.length > 0, required), options, { ...shape, site: record.site });
      return {
        handler: null,
        schedule: null,
        methods: Object.fromEntries(methods.map((one) => [one.name, toMethodManifest(Class, one)])),
        hooks: describeHooks(hooks, (kind, hook) => sourceOfHook(Class, kind, hook)),
        requiresParameters: required,
        builds: readBuilds(options),
      };
    },
  };
  getRegistry().add(record);
  return handle;
}

const isClass = (value: unknown): value is Constructor => typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));

function findMethods(Class: Function, options: RawOptions): RemoteMethod[] {
  if (Array.isArray(options.methods))
    return (options.methods as unknown[])
      .filter((name) => typeof name === "string" && methodNamesOf(Class).includes(name))
      .map((name) => ({ name: name as string, options: {} }));
  return marksByName(Class, "method").map((mark) => ({ name: mark.name as string, options: mark.options }));
}

function checkHasMethods(Class: Function, methods: readonly RemoteMethod[]): Mistake[] {
  if (methods.length > 0) return [];
  const names = methodNamesOf(Class).filter(
    (name) => !["onStart", "onStop", "onBuild"].some((kind) => marksByName(Class, kind as "onStart").some((mark) => mark.name === name)),
  );
  const name = names[0] ?? "predict";
  return [
    {
      message: `The class has no method that callers may call. Mark one, or list it`,
      write: `@method() ${name}(input, ctx) { … }`,
      mend: (options) => (options.methods = [name]),
    },
  ];
}

function checkBatchSizes(draft: Draft, methods: readonly RemoteMethod[]): Mistake[] {
  const mistakes: Mistake[] = [];
  const { concurrencyMax, singleUse } = draft.options;
  for (const { name, options } of methods) {
    const batch = readMethodBatch(options);
    if (!batch) continue;
    if (concurrencyMax !== undefined && concurrencyMax < batch.maxBatchSize) {
      mistakes.push({
        message: `concurrency (${concurrencyMax}) is below batch.maxBatchSize (${batch.maxBatchSize}) of the method ${name}: no batch could ever fill`,
        mend: (mended) => (mended.concurrency = batch.maxBatchSize),
      });
    }
    if (singleUse && batch.maxBatchSize > 1) {
      mistakes.push({
        message: `singleUse and batch.maxBatchSize (${batch.maxBatchSize}) of the method ${name} contradict each other: a container for one input has no batches`,
        mend: (mended) => delete mended.singleUse,
      });
    }
  }
  return mistakes;
}
