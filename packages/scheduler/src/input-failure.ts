import { ERROR_CATALOGUE, SamovarError, type ErrorCode, type ErrorMessage } from "@samovar/protocol";
import type { Attempt } from "./attempt.ts";
import type { InputFailure } from "./input.ts";

/** How an attempt can end without a result. */
export type AttemptFailure =
  | { readonly kind: "thrown"; readonly message: ErrorMessage }
  | { readonly kind: "timeout"; readonly timeoutMs: number }
  | { readonly kind: "lost"; readonly reason: string }
  /** By our doing, and not counted. `reason`: as its worker says it; null: its container stops. */
  | { readonly kind: "drained"; readonly reason: string | null };

/** What the caller is told. */
export function failureOf(failure: AttemptFailure, attempt: Attempt, functionName: string): InputFailure {
  const at = { containerId: attempt.worker.container.id, attempt: attempt.input.attempts };
  switch (failure.kind) {
    case "thrown": {
      const thrown = failure.message.error;
      // What the handler threw is its own, whatever code it carries (it may pass on what a call of its own threw).
      const ours = !failure.message.fromHandler && thrown.code !== undefined && thrown.code in ERROR_CATALOGUE;
      const code = ours ? (thrown.code as ErrorCode) : "handler_error";
      const detail = code === "handler_error" ? `${thrown.name}: ${thrown.message}` : thrown.message;
      return { ...at, error: new SamovarError(code, detail, thrown.fields ? { fields: thrown.fields } : {}), thrown, retryable: failure.message.retryable };
    }
    case "timeout":
      return { ...at, error: new SamovarError("timeout", `${functionName} did not answer within its timeout of ${failure.timeoutMs / 1_000} s`), thrown: null };
    case "lost":
      return {
        ...at,
        error: new SamovarError("container_lost", `The container was lost while it held the input: ${failure.reason}`, { fields: { reason: failure.reason } }),
        thrown: null,
      };
    case "drained": {
      const why = failure.reason === null ? `The container was stopped before ${functionName} was done` : `${functionName} was not done: ${failure.reason}`;
      return { ...at, error: new SamovarError("drained", `${why}; call again`), thrown: null };
    }
  }
}
