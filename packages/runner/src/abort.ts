import { SamovarError, type CancelMessage } from "@samovar/protocol";

export type CancelReason = CancelMessage["reason"];

/** What `ctx.signal.reason` holds: a TimeoutError for a timeout, an AbortError for the rest, as the platform's own signals have. */
export function toAbortReason(reason: CancelReason, timeoutMs: number | null): DOMException {
  switch (reason) {
    case "timeout":
      return new DOMException(timeoutMs === null ? "The input's timeout passed" : `The input's timeout of ${timeoutMs / 1_000} s passed`, "TimeoutError");
    case "disconnected":
      return new DOMException("The caller left", "AbortError");
    case "cancelled":
      return new DOMException("The input was cancelled", "AbortError");
    case "drained":
      return new DOMException("The container stops", "AbortError");
  }
}

/** How a cancelled input is answered, whatever its handler threw at being told. */
export function toCancelError(reason: CancelReason, timeoutMs: number | null): SamovarError {
  const message = toAbortReason(reason, timeoutMs).message;
  return new SamovarError(reason === "timeout" ? "timeout" : reason === "drained" ? "drained" : "cancelled", message);
}
