import type { Define } from "./callable-types.ts";
import { defineCallable } from "./define-callable.ts";

/**
 * Defines a function that code calls: `.remote(input)`, `.map(inputs)`, for generators `.stream(input)`, and
 * `.local(input)` in this process.
 *
 * Throws `invalid_option` with everything that is wrong with the options and the code as it should be.
 *
 * @example
 * export const square = fn({ cpu: 1 }, (x: number) => x * x);
 * export default async function main() {
 *   for await (const y of square.map([1, 2, 3])) console.log(y);
 * }
 */
export const fn: Define<"function"> = function fn(...args: unknown[]): never {
  return defineCallable("function", null, args, fn) as never;
};
