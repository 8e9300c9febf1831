import { SamovarError, type CallableDefinition, type FunctionDefinition, type HookDefinition, type SchemaIssue, type Validate } from "@samovar/protocol";
import type { ContextLog } from "../context.ts";
import { getRuntime } from "../runtime.ts";
import { runWithLocalContext } from "./local-context.ts";

/**
 * Runs a definition in this process, as one worker would: new → (first call) starting → started → (exit) stopped.
 * A failed start is tried again by the next call, and no stop hook runs after it.
 */
export class LocalCalls {
  readonly #definition: FunctionDefinition;
  readonly #name: () => string;
  readonly #parameters: readonly unknown[];
  #started: Promise<Started> | undefined;
  #calls = 0;

  constructor(definition: FunctionDefinition, name: () => string, parameters: readonly unknown[] = []) {
    this.#definition = definition;
    this.#name = name;
    this.#parameters = parameters;
  }

  async call(callable: CallableDefinition, input: unknown): Promise<unknown> {
    const { self, context } = await this.#open();
    const checked = await check(callable.validateInput, input, "invalid_input");
    const result = await runWithLocalContext(context, () => callable.run.call(self, (callable.batch ? [checked] : checked) as never, context as never));
    return check(callable.validateOutput, callable.batch ? takeOne(result) : result, "invalid_output");
  }

  async *stream(callable: CallableDefinition, input: unknown): AsyncGenerator<unknown> {
    const { self, context } = await this.#open();
    const checked = await check(callable.validateInput, input, "invalid_input");
    const items = runWithLocalContext(context, () => callable.run.call(self, checked as never, context as never)) as AsyncIterable<unknown> | Iterable<unknown>;
    const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    try {
      for (;;) {
        const next = await runWithLocalContext(context, () => iterator.next());
        if (next.done) return;
        yield await check(callable.validateOutput, next.value, "invalid_output");
      }
    } finally {
      await runWithLocalContext(context, () => iterator.return?.());
    }
  }

  async #open(): Promise<{ self: object | undefined; context: object }> {
    this.#started ??= this.#start();
    const started = await this.#started;
    const context = Object.defineProperties(Object.create(started.base) as object, {
      taskId: { value: `local-${++this.#calls}`, enumerable: true },
      attempt: { value: 1, enumerable: true },
      timeout: { value: null, enumerable: true },
      deadline: { value: null, enumerable: true },
      callbackUrl: { value: null, enumerable: true },
      request: { value: undefined, enumerable: true },
      onStartValue: { value: started.value, enumerable: true },
    });
    return { self: started.self, context };
  }

  async #start(): Promise<Started> {
    const { hooks, cls } = this.#definition;
    try {
      const self = cls?.create(this.#parameters);
      const base = this.#createBase();
      const values: unknown[] = [];
      for (const hook of hooks.onStart) values.push(await runHook(hook, self, base));
      const value = cls || hooks.onStart.length === 0 ? undefined : hooks.onStartIsList ? values : values[0];
      if (hooks.onStop.length > 0)
        onExit(() => stop(hooks.onStop, self, Object.assign(Object.create(base) as object, { onStartValue: value, reason: "done" })));
      return { self, base, value };
    } catch (error) {
      this.#started = undefined;
      throw error;
    }
  }

  #createBase(): object {
    const { hooks, kind } = this.#definition;
    return {
      env: process.env,
      log: consoleLog,
      signal: new AbortController().signal,
      deployment: this.#name(),
      version: 0,
      containerId: "local",
      functionId: "local",
      functionKind: kind,
      runtimeVersion: `node ${process.versions.node}`,
      workerIndex: 0,
      get onDeployValue() {
        if (hooks.onDeploy.length === 0) return undefined;
        throw new SamovarError(
          "no_session",
          "ctx.onDeployValue is not there in a local call: .local() runs start and stop hooks only, because onDeploy may change what lasts",
        );
      },
    };
  }
}

interface Started {
  readonly self: object | undefined;
  readonly base: object;
  readonly value: unknown;
}

const runHook = async (hook: HookDefinition, self: object | undefined, context: object): Promise<unknown> =>
  runWithLocalContext(context, () => hook.run.call(self, context));

/** Every stop hook runs, whatever the others do, as in a container. */
async function stop(hooks: readonly HookDefinition[], self: object | undefined, context: object): Promise<void> {
  for (const hook of hooks) {
    try {
      await runHook(hook, self, context);
    } catch (error) {
      console.error(`${hook.name} failed while stopping:`, error);
    }
  }
}

function onExit(run: () => unknown): void {
  const runtime = getRuntime();
  if (runtime) runtime.onExit(run);
  else process.once("beforeExit", run);
}

function takeOne(results: unknown): unknown {
  if (!Array.isArray(results) || results.length !== 1) {
    throw new SamovarError(
      "batch_mismatch",
      `The batch handler returned ${Array.isArray(results) ? `${results.length} results` : typeof results} for 1 input. Return one result for each input, in order`,
    );
  }
  const [result] = results as unknown[];
  if (result instanceof Error) throw result;
  return result;
}

async function check(validate: Validate | null, value: unknown, code: "invalid_input" | "invalid_output"): Promise<unknown> {
  if (!validate) return value;
  const result = await validate(value);
  if (!result.issues) return result.value;
  const issues: SchemaIssue[] = result.issues.map(({ message, path }) => ({
    message,
    path: path?.map((key) => toPlainKey(typeof key === "object" ? key.key : key)) ?? [],
  }));
  const [first] = issues;
  throw new SamovarError(
    code,
    `The ${code === "invalid_input" ? "input" : "result"} fails the function's schema${first?.path?.length ? ` at ${first.path.join(".")}` : ""}: ${first?.message}`,
    { fields: { issues } },
  );
}

const toPlainKey = (key: PropertyKey): string | number => (typeof key === "symbol" ? String(key) : key);

/** Hooks and handlers run here as they would in a container, but their log is this process's own. */
const consoleLog: ContextLog = {
  debug: (message, fields) => console.debug(message, ...(fields ? [fields] : [])),
  info: (message, fields) => console.info(message, ...(fields ? [fields] : [])),
  warn: (message, fields) => console.warn(message, ...(fields ? [fields] : [])),
  error: (message, fields) => console.error(message, ...(fields ? [fields] : [])),
};
