import type { DefineClass } from "./class-types.ts";
import { defineClass } from "./define-class.ts";

/**
 * Makes a class a function: its `@method()`s are called at `/cls/{name}/{method}`, its hooks run in each worker. The same
 * as `app.cls` of the module's one app.
 *
 * Throws `invalid_definition` or `invalid_option` with everything that is wrong and the code as it should be.
 *
 * @example
 * export const model = cls(Model, { concurrency: 8 });
 * export const plain = cls(Plain, { onStart: ["load"], methods: ["predict"] });   // without decorators
 */
export const cls: DefineClass = function cls(...args: unknown[]): never {
  return defineClass(null, args, cls) as never;
};
