import type { DefineQueue } from "./callable-types.ts";
import { defineCallable } from "./define-callable.ts";

/**
 * Defines a queue and what is done with each of its inputs. Inputs are put by `.put(input)`, `.putMany(inputs)` and HTTP
 * POST `/taskqueue/{name}`; they are on disk when that answers, and each is done at least once, tried again up to three
 * times where it fails.
 *
 * Throws `invalid_option` with everything that is wrong with the options and the code as it should be.
 *
 * @example
 * export const orders = taskQueue({ retries: 5, maxContainers: 4 }, async (order: { id: number }, ctx) => {
 *   await charge(order, { idempotencyKey: ctx.taskId });
 * });
 * export const endOfDay = fn({}, () => orders.put({ id: 7 }, { delay: "1h" }));
 */
export const taskQueue: DefineQueue = function taskQueue(...args: unknown[]): never {
  return defineCallable("taskqueue", null, args, taskQueue) as never;
};
