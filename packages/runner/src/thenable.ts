/** Whether it must be awaited. What isn't is answered in the same turn, without a promise. */
export function isThenable<T>(value: unknown): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
