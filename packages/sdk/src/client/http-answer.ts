import type { IncomingMessage } from "node:http";
import { CONTENT_TYPES, decodeValue, fromProblem, fromSerializedError, parseProblem, SamovarError, type SerializedError } from "@samovar/protocol";
import { readBody } from "./http-connection.ts";

export const contentTypeOf = (response: IncomingMessage): string => (response.headers["content-type"] ?? "").split(";")[0]!.trim();

/** A value; or, where a handler answered with a Response of its own, what that says it is. */
export function decodeBody(response: IncomingMessage, body: Buffer): unknown {
  if (response.statusCode === 204) return undefined;
  const type = contentTypeOf(response);
  if (type === CONTENT_TYPES.value) return decodeValue(body);
  if (type === CONTENT_TYPES.json || type.endsWith("+json")) return JSON.parse(body.toString()) as unknown;
  return type.startsWith("text/") ? body.toString() : new Uint8Array(body);
}

/** The body of an answer that is good; throws the error that another one stands for. `label`: what was asked, for messages. */
export async function readAnswer(response: IncomingMessage, label: string, signal?: AbortSignal): Promise<Buffer> {
  const body = await broken(() => readBody(response), signal);
  if (response.statusCode! >= 400) throw toError(response.statusCode!, body, label);
  return body;
}

export function toError(status: number, body: Buffer, label: string): Error {
  const problem = parseProblem(body.toString());
  if (!problem) return new SamovarError("internal", `${label}: the server answered ${status}${body.length ? `: ${body.toString("utf8", 0, 200)}` : ""}`);
  if (problem.error) return fromSerializedError(problem.error as SerializedError);
  return fromProblem(problem);
}

/** A body that breaks off: the caller's own doing if it aborted, else a lost server. */
export async function broken<T>(read: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw toBreak(error, signal);
  }
}

export function toBreak(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE"
    ? new SamovarError("container_lost", "The answer broke off before its end: the container or the server was lost", { cause: error })
    : error;
}
