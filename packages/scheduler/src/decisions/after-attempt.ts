import { retryDelayMs } from "@samovar/kit";
import type { RetryPolicy, SerializedError } from "@samovar/protocol";
import type { InputFailure } from "../input.ts";

/** What follows when an attempt of a task ended without a result. */
export type AfterAttempt =
  /** It waits again, as if it had not been tried: the loss was ours. */
  { readonly event: "give-back" } | { readonly event: "retry"; readonly delayMs: number } | { readonly event: "fail" | "time-out" };

/** Failures that are ours: they don't count against a task. */
const OURS: ReadonlySet<string> = new Set(["drained", "shutting_down", "stopped"]);

/** `failures` are those that count, this one included. `random` is in [0, 1). */
export function afterAttempt(failure: Pick<InputFailure, "error" | "retryable">, failures: number, policy: RetryPolicy, random: number): AfterAttempt {
  const { code } = failure.error;
  if (OURS.has(code)) return { event: "give-back" };
  if (failure.retryable !== false && failures <= policy.maxRetries) return { event: "retry", delayMs: retryDelayMs(policy, failures, random) };
  return { event: code === "timeout" ? "time-out" : "fail" };
}

/** As it is kept with the attempt: what the handler threw, else what we say. */
export function toKeptError({ error, thrown }: Pick<InputFailure, "error" | "thrown">): SerializedError {
  if (thrown) return thrown;
  return { name: error.name, message: error.message, code: error.code, fields: { ...error.fields } };
}
