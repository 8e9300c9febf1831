import { CONTENT_TYPES, decodeValue, type AnswerHead, type CallbackInfo, type TaskDetail, type TaskInfo } from "@samovar/protocol";
import { parseResultText } from "@samovar/scheduler";
import type { TaskRecord } from "@samovar/storage";
import { toJsonView } from "./json-view.ts";

/** Of inputs: larger ones are not shown. */
const SHOWN_INPUT_BYTES = 64 * 1024;

export function toTaskInfo(record: TaskRecord): TaskInfo {
  const last = record.attempts.at(-1);
  return {
    id: record.id,
    function: record.functionName,
    app: record.app,
    method: record.method,
    parameters: JSON.parse(record.parameters) as unknown[],
    delivery: record.durable ? "queued" : "call",
    version: last?.version ?? null,
    status: record.status,
    attempts: record.attempts,
    createdAtMs: record.createdAtMs,
    dueAtMs: record.dueAtMs,
    startedAtMs: record.startedAtMs,
    endedAtMs: record.endedAtMs,
    expiresAtMs: record.expiresAtMs,
    priorityMs: Math.round(record.priority * 1_000),
    concurrencyKey: record.concurrencyKey,
    idempotencyKey: record.idempotencyKey,
    tickAtMs: record.tick === null ? null : Number(record.tick),
    error: record.error,
  };
}

export interface TaskContext {
  readonly reason: string | null;
  readonly callback: CallbackInfo | null;
  /** A larger result is left out: to read it takes the server's own time. */
  readonly maxResultBytes: number;
}

export function toTaskDetail(record: TaskRecord, { reason, callback, maxResultBytes }: TaskContext): TaskDetail {
  const { result } = record;
  const head = result && parseResultText(result.encoding);
  const input = record.input && record.input.length <= SHOWN_INPUT_BYTES ? viewInput(record.encoding, record.input) : undefined;
  return {
    ...toTaskInfo(record),
    ...(head && result.bytes.length <= maxResultBytes ? present("result", viewBody(contentType(head), result.bytes)) : {}),
    resultType: head ? contentType(head) : null,
    resultBytes: result ? result.bytes.length : null,
    ...present("input", input),
    reason,
    callback,
  };
}

const present = (name: "result" | "input", value: unknown): Record<string, unknown> => (value === undefined ? {} : { [name]: value });

export function contentType(head: AnswerHead): string | null {
  return head.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? null;
}

function viewInput(encoding: TaskRecord["encoding"], bytes: Uint8Array): unknown {
  if (encoding === "none") return undefined;
  if (encoding === "value") return viewBody(CONTENT_TYPES.value, bytes);
  return viewBody(encoding === "raw" ? "application/octet-stream" : CONTENT_TYPES.json, bytes);
}

/** A body as JSON shows it best. */
export function viewBody(type: string | null, bytes: Uint8Array): unknown {
  const plain = type?.split(";", 1)[0]!.trim().toLowerCase() ?? "";
  try {
    if (plain === CONTENT_TYPES.value) return toJsonView(decodeValue(bytes));
    if (bytes.length === 0) return undefined;
    if (plain === CONTENT_TYPES.json || plain.endsWith("+json")) return parseOrText(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (plain.startsWith("text/") || plain === CONTENT_TYPES.ndjson) return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Not what it says it is: shown as bytes.
  }
  return Buffer.from(bytes).toString("base64");
}

/** What is not JSON, though it says so, is shown as what was sent. */
function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
