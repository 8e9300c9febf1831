import type { DefineSchedule } from "./callable-types.ts";
import { defineCallable } from "./define-callable.ts";

/**
 * Defines what is done by the clock: at the times of `when`, or once in `every`. Each tick is one task, also where several
 * servers share the work.
 *
 * Throws `invalid_option` with everything that is wrong with the options and the code as it should be.
 *
 * @example
 * export const report = schedule({ when: "0 9 * * MON-FRI", timezone: "Europe/Berlin" }, async (ctx) => {
 *   await mail(`Report of ${ctx.scheduledAt.toDateString()}`);
 * });
 * export const refresh = schedule({ every: "5m", overlap: "skip" }, () => warmCache());
 */
export const schedule: DefineSchedule = function schedule(...args: unknown[]): never {
  return defineCallable("schedule", null, args, schedule) as never;
};
