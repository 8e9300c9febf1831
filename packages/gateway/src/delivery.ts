import { MAX_TASK_WAIT_MS, type FunctionKind } from "@samovar/protocol";
import type { InputRequest } from "@samovar/scheduler";
import type { Preference } from "./prefer.ts";

/**
 * How a call gets to its function.
 *
 * `call`: to the pool, on this connection; it ends when its caller leaves. `accept`: queued, and answered with its task's id
 * as soon as it is on disk. `wait`: queued, and answered as a call is; with the id when it isn't over within `waitMs`.
 */
export type Delivery = { readonly by: "call" } | { readonly by: "accept" } | { readonly by: "wait"; readonly waitMs: number };

const CALL: Delivery = { by: "call" };
const ACCEPT: Delivery = { by: "accept" };

/** Kinds whose calls are queued unless the caller says that it waits. */
const QUEUED: ReadonlySet<FunctionKind> = new Set<FunctionKind>(["function", "taskqueue", "schedule"]);

/**
 * A function that is waited for however long it takes needs no queue, nor does what a handle calls, unless a key must outlive the
 * connection. One that is waited for so long and no longer is a task: it is not undone because its caller had enough of waiting.
 */
export function chooseDelivery(kind: FunctionKind, reply: InputRequest["reply"], prefer: Preference, hasKey: boolean): Delivery {
  const { waitMs, respondAsync } = prefer;
  const waits = waitMs !== undefined && waitMs > 0;
  if (!respondAsync && !hasKey) {
    if (reply === "value" || !QUEUED.has(kind) || (waitMs === Infinity && kind === "function")) return CALL;
  }
  if (waits) return { by: "wait", waitMs: Math.min(waitMs, MAX_TASK_WAIT_MS) };
  const isAsked = respondAsync || waitMs !== undefined || (QUEUED.has(kind) && reply !== "value");
  // Who sends a key alone is answered as without it, however long that takes.
  return isAsked ? ACCEPT : { by: "wait", waitMs: Infinity };
}
