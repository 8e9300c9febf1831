import { NOW_MS } from "./samples.fixture.ts";
import type { CallRecord, NewTask, TaskSettlement, TaskStart, TaskStore } from "./task-store.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Due at once, kept for an hour, without keys. */
export function taskSample(id: string, changes: Partial<NewTask> = {}): NewTask {
  return {
    id,
    queue: "resize",
    functionName: "Resize",
    app: "images",
    method: null,
    parameters: "[]",
    encoding: "json",
    reply: "value",
    input: new TextEncoder().encode(`{"of":"${id}"}`),
    createdAtMs: NOW_MS,
    dueAtMs: changes.createdAtMs ?? NOW_MS,
    priority: 0,
    expiresAtMs: null,
    concurrencyKey: null,
    idempotencyKey: null,
    idempotencyMs: DAY_MS,
    keepMs: HOUR_MS,
    callbackUrl: null,
    tick: null,
    ...changes,
  };
}

/** It succeeded at once. */
export function callSample(id: string, changes: Partial<CallRecord> = {}): CallRecord {
  const createdAtMs = changes.createdAtMs ?? NOW_MS;
  return {
    id,
    functionName: "Predict",
    app: "images",
    method: null,
    version: 3,
    containerId: "ct_1",
    status: "COMPLETE",
    createdAtMs,
    startedAtMs: createdAtMs + 1,
    endedAtMs: createdAtMs + 5,
    attempts: 1,
    error: null,
    ...changes,
  };
}

export function startSample(id: string, attempt: number, startedAtMs = NOW_MS + 10): TaskStart {
  return { id, attempt, version: 3, containerId: `ct_${attempt}`, startedAtMs };
}

/** It succeeded, unless told otherwise. */
export function settlementSample(start: TaskStart, changes: Partial<TaskSettlement> = {}): TaskSettlement {
  const hasResult = (changes.event ?? "succeed") === "succeed";
  return {
    ...start,
    event: "succeed",
    endedAtMs: start.startedAtMs + 5,
    result: hasResult ? { encoding: "json", bytes: new TextEncoder().encode('"done"') } : null,
    error: hasResult ? null : { name: "Error", message: "no" },
    dueAtMs: null,
    ...changes,
  };
}

export const readyIds = async (tasks: TaskStore, queue = "resize"): Promise<string[]> => (await tasks.ready(queue, null, 100)).map(({ id }) => id);

export const statusOf = async (tasks: TaskStore, id: string): Promise<string | undefined> => (await tasks.get(id))?.status;
