import { HEADERS, type AnswerHead } from "@samovar/protocol";
import type { FlatHeaders } from "./problem.ts";

/** What concerns one connection only, or is ours to say: never taken over from an answer. */
const NOT_TAKEN = new Set<string>([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "content-length",
  HEADERS.taskId,
  HEADERS.containerId,
  HEADERS.version,
  HEADERS.coldStart,
]);

export function appendAnswerHeaders(target: FlatHeaders, headers: AnswerHead["headers"]): FlatHeaders {
  for (const [name, value] of headers) {
    if (!NOT_TAKEN.has(name.toLowerCase())) target.push(name, value);
  }
  return target;
}

/** The length that a streamed answer declares of itself. */
export function declaredLength(headers: AnswerHead["headers"]): number | undefined {
  const value = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
