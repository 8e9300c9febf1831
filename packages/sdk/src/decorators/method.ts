import { assertParentheses, decorate } from "./check-decoration.ts";
import { checkMethodOptions } from "./decorator-options.ts";
import type { DefineMethod } from "./decorator-types.ts";
import type { MarkOptions } from "./marks.ts";

/**
 * Marks a public method that callers may call: by its handle, and over HTTP at `/cls/{name}/{method}`. It gets
 * `(input, ctx)`, one input; a generator streams; with `batch` it gets a list of inputs and returns a list.
 *
 * @example
 * class Model {
 *   @method() predict(x: number): number { return x * 2; }
 *   @method({ route: "/v1/tokens" }) async *tokens(prompt: string, ctx: Ctx) { yield* generate(prompt, ctx.signal); }
 *   @method({ batch: { maxBatchSize: 8, wait: "5ms" } }) async classify(texts: Batch<string>) { return run(texts); }
 * }
 */
export const method: DefineMethod = function method(...args: unknown[]): never {
  assertParentheses("method", args, method);
  checkMethodOptions(args[0], method);
  const decoration = { kind: "method" as const, written: "@method()", options: (args[0] ?? {}) as MarkOptions };
  return function decorator(...decorated: unknown[]) {
    decorate(decoration, decorated, decorator);
  } as never;
};
