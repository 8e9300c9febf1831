/** Names that HTTP clients and the gateway agree on. */
export const HEADERS = {
  taskId: "x-samovar-task-id",
  containerId: "x-samovar-container-id",
  version: "x-samovar-version",
  coldStart: "x-samovar-cold-start",
  serverTiming: "server-timing",
  idempotencyKey: "idempotency-key",
  /** Of a request that is queued: as `PutTask`; durations in seconds or with a unit. */
  delay: "x-samovar-delay",
  priority: "x-samovar-priority",
  ttl: "x-samovar-ttl",
  concurrencyKey: "x-samovar-concurrency-key",
} as const;

export const CONTENT_TYPES = {
  json: "application/json",
  problem: "application/problem+json",
  /** One value in the encoding of docs/protocol.md, Values. What handles send and ask for. */
  value: "application/vnd.samovar.value",
  /** A stream of values: each a length-prefixed item; see docs/protocol.md, Value streams. */
  values: "application/vnd.samovar.values",
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
} as const;

/** RFC 9457. `code` is the catalogue's; `error` is what the handler threw, for clients that raise it again. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly [extra: string]: unknown;
}

export const DEFAULT_PORT = 8700;
export const DEFAULT_HOST = "127.0.0.1";
export const MAX_BODY_BYTES = 100 * 1024 * 1024;
