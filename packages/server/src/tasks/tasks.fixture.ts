import type { TaskRecord } from "@samovar/storage";

/** A task that waits, as the store keeps it. */
export function recordOf(more: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: "tk_1",
    queue: "resize",
    functionName: "resize",
    app: "shop",
    method: null,
    parameters: "[]",
    encoding: "json",
    reply: "value",
    createdAtMs: 1_000,
    dueAtMs: 1_000,
    priority: 0,
    expiresAtMs: null,
    concurrencyKey: null,
    idempotencyKey: null,
    keepMs: 1_000,
    callbackUrl: null,
    tick: null,
    durable: true,
    status: "PENDING",
    attempts: [],
    startedAtMs: null,
    endedAtMs: null,
    result: null,
    error: null,
    input: null,
    ...more,
  };
}
