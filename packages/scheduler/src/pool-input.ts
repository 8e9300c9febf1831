import type { Clock } from "@samovar/kit";
import type { HeldInput, TaskId } from "@samovar/protocol";
import type { InputRequest, InputTicket } from "./input.ts";
import type { SourcedInput } from "./input-source.ts";
import type { Pool } from "./pool.ts";
import type { PoolInput } from "./pool-types.ts";

export function createPoolInput(pool: Pool, from: Pick<PoolInput, "request" | "sink" | "attempts" | "isTask" | "released">, clock: Clock): PoolInput {
  const { request, sink, attempts, isTask, released } = from;
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
    released,
    attempt: null,
    attempts,
    deadline: null,
    overdue: false,
    over: false,
  };
}

/** An input that a worker holds and that nobody waits for any more. */
export function toOrphan({ taskId, attempt }: HeldInput): Pick<SourcedInput, "request" | "attempt"> & { readonly sink: null } {
  const request: InputRequest = {
    taskId: taskId as TaskId,
    method: null,
    encoding: "none",
    reply: "value",
    stream: "values",
    request: null,
    body: null,
    bodyStream: null,
    retries: false,
    headless: false,
  };
  return { request, sink: null, attempt };
}

/** Its caller's hold on it, whichever pool has it meanwhile. */
export class PoolTicket implements InputTicket {
  readonly #input: PoolInput;

  constructor(input: PoolInput) {
    this.#input = input;
  }

  cancel(reason: "disconnected" | "cancelled"): void {
    this.#input.pool.cancel(this.#input, reason);
  }

  resume(): void {
    const { attempt, pool } = this.#input;
    if (!attempt) return;
    pool.extendDeadline(attempt);
    attempt.stream?.resume();
  }
}
