import type { PutOptions } from "../options/task-options.ts";
import { reachOf, type Callee } from "./call-handle.ts";
import { createRefusals } from "./refusals.ts";
import { createRemoteCalls } from "./remote-calls.ts";

/** The handle of a task queue: `put`, `putMany` and `local`. */
export function createQueueHandle(callee: Callee): object {
  const { callable, local, label } = callee;
  const { put, putMany } = createRemoteCalls(reachOf(callee));
  return { ...createRefusals("taskqueue", label), put, putMany, local: (input?: unknown) => local.call(callable, input) };
}

/** The handle of a schedule: `spawn` and `local`, which run it now. */
export function createScheduleHandle(callee: Callee): object {
  const { callable, local, label } = callee;
  const { spawn } = createRemoteCalls(reachOf(callee));
  return {
    ...createRefusals("schedule", label),
    spawn: (input?: unknown, options?: PutOptions) => spawn(input, options),
    local: (at?: Date) => local.call(callable, at === undefined ? undefined : { tickAtMs: at.getTime() }),
  };
}
