import type { IncomingMessage } from "node:http";
import {
  CONTENT_TYPES,
  decodeValue,
  encodeValue,
  ERROR_CATALOGUE,
  fromSerializedError,
  ItemDecoder,
  KIND_SEGMENTS,
  SamovarError,
  type CallTarget,
  type CallTransport,
  type ErrorCode,
  type ProblemDocument,
  type SerializedError,
} from "@samovar/protocol";
import { HttpConnection, readBody } from "./http-connection.ts";

export interface HttpTransportOptions {
  /** The server, such as `http://127.0.0.1:8700`. */
  readonly url: string;
  readonly token?: string | undefined;
  /** Ids of functions by name, as a session knows its own: only these can be called. Without: the server's active version of a name. */
  readonly functionIds?: Readonly<Record<string, string>> | undefined;
}

export interface HttpTransport extends CallTransport {
  /** Closes the connections that are kept. Calls under way fail. */
  close(): void;
}

/** How handles outside of a container call: values over the same HTTP routes that everyone uses. */
export function createHttpTransport({ url, token, functionIds }: HttpTransportOptions): HttpTransport {
  let connection: HttpConnection | undefined;
  const open = (): HttpConnection => (connection ??= new HttpConnection(url));
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const post = (target: CallTarget, input: unknown, accept: string, signal: AbortSignal | undefined): Promise<IncomingMessage> => {
    const headers = { "content-type": CONTENT_TYPES.value, accept, ...authorization };
    const body = encodeValue(input, "unserializable_input");
    return open().send({ method: "POST", path: toPath(target, functionIds), headers, body, signal });
  };
  return {
    async call(target, input, { signal }) {
      const response = await post(target, input, CONTENT_TYPES.value, signal);
      if (contentTypeOf(response) === CONTENT_TYPES.values) {
        response.destroy();
        throw new SamovarError("invalid_request", `${describeTarget(target)} answers with a stream of items, not one value. Call it with .stream(input)`);
      }
      const body = await broken(() => readBody(response), signal);
      if (response.statusCode! >= 400) throw toError(response.statusCode!, body, target);
      return decodeBody(response, body);
    },
    async *stream(target, input, { signal }) {
      const response = await post(target, input, CONTENT_TYPES.values, signal);
      try {
        if (response.statusCode! >= 400) throw toError(response.statusCode!, await broken(() => readBody(response), signal), target);
        if (contentTypeOf(response) !== CONTENT_TYPES.values) {
          throw new SamovarError("invalid_request", `${describeTarget(target)} returns one value, not a stream. Call it with .remote(input)`);
        }
        yield* readItems(response, signal);
      } finally {
        // Ends the remote generator when the loop was left; after the last byte it does nothing.
        if (!response.readableEnded) response.destroy();
      }
    },
    async scale(target, patch) {
      const response = await open().send({
        method: "PATCH",
        path: `/api/v1/functions/${toSegment(target, functionIds)}/scaling`,
        headers: { "content-type": CONTENT_TYPES.json, ...authorization },
        body: Buffer.from(JSON.stringify(patch)),
      });
      const body = await broken(() => readBody(response), undefined);
      if (response.statusCode! >= 400) throw toError(response.statusCode!, body, target);
    },
    close: () => connection?.close(),
  };
}

/** The id of the session's function, else the name. */
function toSegment({ name }: CallTarget, functionIds: Readonly<Record<string, string>> | undefined): string {
  if (functionIds && !Object.hasOwn(functionIds, name))
    throw new SamovarError("not_found", `The app has no function ${name}. It has ${Object.keys(functionIds).join(", ") || "none"}`);
  return encodeURIComponent(functionIds ? functionIds[name]! : name);
}

function toPath(target: CallTarget, functionIds: Readonly<Record<string, string>> | undefined): string {
  const who = `${functionIds ? "id/" : ""}${toSegment(target, functionIds)}`;
  const method = target.method === undefined ? "" : `/${encodeURIComponent(target.method)}`;
  const parameters = target.parameters?.length ? `?with=${encodeURIComponent(JSON.stringify(target.parameters))}` : "";
  return `/${KIND_SEGMENTS[target.kind]}/${who}${method}${parameters}`;
}

const describeTarget = (target: CallTarget): string => (target.method === undefined ? target.name : `${target.name}.${target.method}`);

const contentTypeOf = (response: IncomingMessage): string => (response.headers["content-type"] ?? "").split(";")[0]!.trim();

/** A value; or, where a handler answered with a Response of its own, what that says it is. */
function decodeBody(response: IncomingMessage, body: Buffer): unknown {
  if (response.statusCode === 204) return undefined;
  const type = contentTypeOf(response);
  if (type === CONTENT_TYPES.value) return decodeValue(body);
  if (type === CONTENT_TYPES.json || type.endsWith("+json")) return JSON.parse(body.toString()) as unknown;
  return type.startsWith("text/") ? body.toString() : new Uint8Array(body);
}

function toError(status: number, body: Buffer, target: CallTarget): Error {
  const problem = parseProblem(body);
  if (!problem)
    return new SamovarError("internal", `${describeTarget(target)}: the server answered ${status}${body.length ? `: ${body.toString("utf8", 0, 200)}` : ""}`);
  if (problem.error) return fromSerializedError(problem.error as SerializedError);
  const { type: _type, title, status: _status, detail, code, error: _error, ...fields } = problem;
  return new SamovarError(code in ERROR_CATALOGUE ? (code as ErrorCode) : "internal", detail ?? title ?? `The server answered ${status}`, { fields });
}

function parseProblem(body: Buffer): ProblemDocument | undefined {
  try {
    const parsed = JSON.parse(body.toString()) as ProblemDocument;
    return typeof parsed === "object" && parsed !== null && typeof parsed.code === "string" ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** A body that breaks off: the caller's own doing if it aborted, else a lost server. */
async function broken<T>(read: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw toBreak(error, signal);
  }
}

async function* readItems(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<unknown> {
  const items = new ItemDecoder();
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield* items.push(chunk);
    items.finish();
  } catch (error) {
    throw toBreak(error, signal);
  }
}

function toBreak(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE"
    ? new SamovarError("container_lost", "The answer broke off before its end: the container or the server was lost", { cause: error })
    : error;
}
