import type { IncomingHttpHeaders } from "node:http";
import { HEADERS, MAX_TASK_KEY_LENGTH, SamovarError, TASK_TERMS, parseDuration, show } from "@samovar/protocol";
import type { NewInput } from "@samovar/scheduler";

/** What a request says about its task. */
export type TaskTerms = Pick<NewInput, "delayMs" | "priorityMs" | "ttlMs" | "idempotencyKey" | "concurrencyKey">;

export const NO_TERMS: TaskTerms = Object.freeze({ delayMs: 0, priorityMs: 0, ttlMs: null, idempotencyKey: null, concurrencyKey: null });

const PRINTABLE = /^[\x20-\x7e]+$/;

/** Reads the headers of a task. Null where there are none. What can't be read is refused, its header named. */
export function readTerms(headers: IncomingHttpHeaders): TaskTerms | null {
  const key = headers[HEADERS.idempotencyKey];
  const delay = headers[HEADERS.delay];
  const priority = headers[HEADERS.priority];
  const ttl = headers[HEADERS.ttl];
  const concurrency = headers[HEADERS.concurrencyKey];
  if (key === undefined && delay === undefined && priority === undefined && ttl === undefined && concurrency === undefined) return null;
  return {
    delayMs: delay === undefined ? 0 : readDuration(HEADERS.delay, delay, TASK_TERMS.delay),
    priorityMs: priority === undefined ? 0 : readDuration(HEADERS.priority, priority, TASK_TERMS.priority),
    ttlMs: ttl === undefined ? null : readDuration(HEADERS.ttl, ttl, TASK_TERMS.ttl),
    idempotencyKey: key === undefined ? null : readKey(HEADERS.idempotencyKey, key),
    concurrencyKey: concurrency === undefined ? null : readKey(HEADERS.concurrencyKey, concurrency),
  };
}

/** The header that only a queued request may have; undefined where there is none. */
export function queueHeader(headers: IncomingHttpHeaders): string | undefined {
  return [HEADERS.delay, HEADERS.priority, HEADERS.ttl, HEADERS.concurrencyKey].find((name) => headers[name] !== undefined);
}

function readDuration(name: string, value: string | string[], { minMs, maxMs }: { readonly minMs: number; readonly maxMs: number }): number {
  try {
    const ms = parseDuration(value, name);
    if (ms >= minMs && ms <= maxMs) return ms;
  } catch {
    // The message below says it in the header's own terms.
  }
  throw new SamovarError(
    "invalid_request",
    `The header ${name} has ${show(value)}: give seconds, or a number with ms, s, m, h or d, such as 30 or 5m${minMs < 0 ? "" : minMs > 0 ? ", above 0" : ", not below 0"}, and at most 366 days`,
  );
}

function readKey(name: string, value: string | string[]): string {
  if (typeof value === "string" && value.length <= MAX_TASK_KEY_LENGTH && PRINTABLE.test(value)) return value;
  const size = typeof value === "string" && value.length > MAX_TASK_KEY_LENGTH ? `${value.length} characters` : show(value);
  throw new SamovarError("invalid_request", `The header ${name} has ${size}: give 1 to ${MAX_TASK_KEY_LENGTH} printable ASCII characters`);
}
