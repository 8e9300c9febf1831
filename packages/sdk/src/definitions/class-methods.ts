import type { CallableDefinition, MethodManifest } from "@samovar/protocol";
import type { MarkOptions } from "../decorators/marks.ts";
import { readMethodTimeout } from "../decorators/decorator-options.ts";
import { readBatch, type Draft } from "../options/option-table.ts";
import type { Mistake } from "../options/mistakes.ts";
import { toJsonSchema, toValidate } from "../schema.ts";
import { isGenerator } from "./generator.ts";
import { toRetryOn } from "./define-callable.ts";

export interface RemoteMethod {
  readonly name: string;
  readonly options: MarkOptions;
}

/** What a class's handle itself needs, now or in what is to come; `then` would make it a promise. */
const RESERVED_METHODS: ReadonlySet<string> = new Set(["with", "then", "updateAutoscaler", "keepWarm"]);

/** A method as workers call it: by name, so that overrides count. */
export function toMethodDefinition(Class: Function, { name, options }: RemoteMethod, draft: Draft): CallableDefinition {
  return {
    run(this: unknown, input: unknown, ctx: unknown) {
      return (this as Record<string, (input: unknown, ctx: unknown) => unknown>)[name]!(input, ctx);
    },
    streaming: isStreaming(Class, name),
    batch: readMethodBatch(options),
    validateInput: toValidate(options.input),
    validateOutput: toValidate(options.output),
    ...(options.timeout === undefined ? {} : { timeoutMs: readMethodTimeout(options.timeout) }),
    retryOn: toRetryOn(draft),
  };
}

export function toMethodManifest(Class: Function, { name, options }: RemoteMethod): MethodManifest {
  return {
    streaming: isStreaming(Class, name),
    batch: readMethodBatch(options),
    inputSchema: toJsonSchema(options.input, "input"),
    outputSchema: toJsonSchema(options.output, "output"),
    route: options.route ?? null,
    timeoutMs: options.timeout === undefined ? undefined : readMethodTimeout(options.timeout),
  };
}

export function readMethodBatch(options: MarkOptions): { readonly maxBatchSize: number; readonly waitMs: number } | null {
  if (!options.batch) return null;
  const draft: Draft = { options: {} };
  readBatch(options.batch, draft, "batch");
  return draft.batch!;
}

const isStreaming = (Class: Function, name: string): boolean => isGenerator((Class.prototype as Record<string, Function>)[name]!);

/** Names that can't be, and methods whose paths under `/cls/{name}` are the same. */
export function checkMethods(Class: Function, methods: readonly RemoteMethod[]): Mistake[] {
  const mistakes: Mistake[] = [];
  const owners = new Map<string, string>();
  for (const { name, options } of methods) {
    if (RESERVED_METHODS.has(name))
      mistakes.push({
        message: `The method name "${name}" is reserved: handles have a ${name} of their own`,
        write: `@method() ${name}Model(input, ctx) { … }`,
      });
    if (options.batch && isStreaming(Class, name))
      mistakes.push({
        message: `@method({ batch }) and a generator contradict each other on ${name}: a batch method returns a list, one result for each input`,
        write: `@method({ batch: { … } }) async ${name}(inputs, ctx) { return outputs; }`,
      });
    for (const path of new Set([`/${name}`, ...(options.route ? [options.route] : [])])) {
      const owner = owners.get(path.toLowerCase());
      if (owner !== undefined)
        mistakes.push({
          message: `${owner} and ${name} clash: both are called at ${path.toLowerCase()}. Rename one, or give it another route`,
          write: path === `/${name}` ? `@method() ${name}2(input, ctx) { … }` : `@method({ route: "${path}2" }) ${name}(input, ctx) { … }`,
        });
      else owners.set(path.toLowerCase(), name);
    }
  }
  return mistakes;
}
