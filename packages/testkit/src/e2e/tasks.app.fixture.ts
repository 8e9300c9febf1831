import { APP_LIFELINE } from "./lifelines.fixture.ts";

/** Queues of every kind, on whose handlers a test can wait: see `Lifelines`. */
export const TASKS_APP = `
import { App, endpoint, fn, taskQueue } from "samovar";
${APP_LIFELINE}
new App("tasks");
const small = { memory: "128Mi", cpu: "250m" };
const soon = { initialDelay: 0.01, maxDelay: 0.05 };

export const echo = taskQueue({ ...small, concurrency: 20, minContainers: 1 }, async (input, ctx) => ({ echo: input, attempt: ctx.attempt, taskId: ctx.taskId }));
// Holds each input until the test lets go of it.
export const held = taskQueue({ ...small, maxContainers: 1, retries: 0 }, async (input, ctx) => {
  if (ctx.signal.aborted) return;
  await Promise.race([lifeline("held " + input), new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(new Error("told to stop"))))]);
  return input;
});
export const bounded = taskQueue({ ...small, maxContainers: 1, maxPendingTasks: 2 }, (input) => lifeline("bounded"));
export const picky = taskQueue({ ...small, retries: { maxRetries: 3, ...soon, on: [RangeError] } }, ({ fails, name }, ctx) => {
  if (ctx.attempt <= fails) throw name === "RangeError" ? new RangeError("attempt " + ctx.attempt) : new TypeError("attempt " + ctx.attempt);
  return ctx.attempt;
});
export const patient = taskQueue({ ...small, retries: { maxRetries: 1, initialDelay: "1h", maxDelay: "1h" } }, () => { throw new Error("not now"); });
export const poison = taskQueue({ ...small, retries: { maxRetries: 2, ...soon } }, () => process.exit(3));
export const slow = taskQueue({ ...small, timeout: 1, retries: { maxRetries: 1, ...soon } }, (_, ctx) =>
  new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))));
export const large = taskQueue({ ...small }, (mib) => "x".repeat(mib * 1024 * 1024));

let calls = 0;
export const page = endpoint({ ...small, concurrency: 20, maxContainers: 1 }, async (input) => ({ input, call: ++calls }));
export const double = fn({ ...small }, (x) => 2 * x);
export const inside = endpoint({ ...small }, async (input) => {
  const task = await echo.put(input, { idempotencyKey: "inside" });
  const again = await echo.put(input, { idempotencyKey: "inside" });
  return { id: task.id, created: [task.created, again.created], same: again.id === task.id, result: await task.get(), status: await task.status() };
});
`;
