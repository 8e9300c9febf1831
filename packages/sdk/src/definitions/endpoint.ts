import type { Define } from "./callable-types.ts";
import { defineCallable } from "./define-callable.ts";

/**
 * Defines a function that is called over HTTP: GET with a query, POST with JSON, at `/endpoint/{name}`.
 *
 * Throws `invalid_option` with everything that is wrong with the options and the code as it should be.
 *
 * @example
 * export const predict = endpoint({
 *   onStart: async () => ({ model: await loadModel() }),
 * }, async (input: { text: string }, ctx) => ({ sentiment: ctx.onStartValue.model.score(input.text) }));
 */
export const endpoint: Define<"endpoint"> = function endpoint(...args: unknown[]): never {
  return defineCallable("endpoint", null, args, endpoint) as never;
};
