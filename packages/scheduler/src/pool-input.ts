import type { Clock } from "@samovar/kit";
import type { InputTicket } from "./input.ts";
import type { Pool } from "./pool.ts";
import type { PoolInput } from "./pool-types.ts";

export function createPoolInput(pool: Pool, from: Pick<PoolInput, "request" | "sink" | "attempts" | "isTask">, clock: Clock): PoolInput {
  const { request, sink, attempts, isTask } = from;
  const { options, methods } = pool.spec.manifest;
  const method = request.method === null ? undefined : methods[request.method];
  const nowMs = clock.monotonic();
  return {
    pool,
    request,
    isTask,
    timeoutMs: method?.timeoutMs !== undefined ? method.timeoutMs : options.timeoutMs,
    arrivedAtMs: nowMs,
    waitsSinceMs: nowMs,
    arrivedEpochMs: clock.now(),
    sink,
    attempt: null,
    attempts,
    deadline: null,
    overdue: false,
    over: false,
  };
}

/** Its caller's hold on it, whichever pool has it meanwhile. */
export function toTicket(input: PoolInput): InputTicket {
  return {
    cancel: (reason) => input.pool.cancel(input, reason),
    resume: () => {
      if (!input.attempt) return;
      input.pool.extendDeadline(input.attempt);
      input.attempt.stream?.resume();
    },
  };
}
