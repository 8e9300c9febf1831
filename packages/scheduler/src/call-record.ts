import type { CallRecord } from "@samovar/storage";
import { toKeptError } from "./decisions/after-attempt.ts";
import type { InputFailure } from "./input.ts";
import type { PoolInput, PoolSpec } from "./pool-types.ts";

/** What is kept of a call that is over. `nowMs` is on the monotonic clock. */
export function toCallRecord({ load }: PoolSpec, input: PoolInput, failure: InputFailure | null, nowMs: number): CallRecord {
  const { request, attempt, arrivedAtMs, arrivedEpochMs } = input;
  const toEpoch = (atMs: number): number => Math.round(arrivedEpochMs + (atMs - arrivedAtMs));
  return {
    id: request.taskId,
    functionName: load.functionName,
    app: load.app,
    method: request.method,
    version: load.version,
    containerId: attempt?.worker.container.id ?? null,
    status: failure ? statusOf(failure) : "COMPLETE",
    createdAtMs: Math.round(arrivedEpochMs),
    startedAtMs: attempt ? toEpoch(attempt.startedAtMs) : null,
    endedAtMs: toEpoch(nowMs),
    attempts: input.attempts,
    error: failure && toKeptError(failure),
  };
}

function statusOf({ error }: InputFailure): CallRecord["status"] {
  if (error.code === "timeout") return "TIMEOUT";
  return error.code === "cancelled" ? "CANCELLED" : "ERROR";
}
