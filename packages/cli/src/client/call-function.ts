import { CONTENT_TYPES, ItemDecoder, KIND_SEGMENTS, decodeValue, encodeValue, type FunctionKind } from "@samovar/protocol";
import { readBytes, toConnectionError, type HttpClient } from "./http-client.ts";

/** One function, or one method of a class with its parameters, to be called once. */
export interface Call {
  readonly kind: FunctionKind;
  readonly functionId: string;
  readonly method: string | null;
  readonly parameters: readonly unknown[];
  readonly input: unknown;
}

/**
 * Calls by id, so that the call never meets another deployment of the name, and with values, so that what was
 * returned arrives. A handler that answered with a `Response` gives its body: JSON parsed, text, or bytes.
 */
export async function callFunction(http: HttpClient, call: Call, signal: AbortSignal): Promise<unknown> {
  const { body, status, headers } = await send(http, call, CONTENT_TYPES.value, signal);
  const bytes = await readBytes(body, http.url);
  signal.throwIfAborted();
  if (status === 204) return undefined;
  const type = (headers["content-type"] ?? "").split(";")[0]!.trim();
  if (type === CONTENT_TYPES.value) return decodeValue(bytes);
  if (type === CONTENT_TYPES.json || type.endsWith("+json")) return JSON.parse(bytes.toString("utf8"));
  return type.startsWith("text/") ? bytes.toString("utf8") : new Uint8Array(bytes);
}

/** The items of a generator as they come. Leaving the loop ends the remote generator. */
export async function* streamFunction(http: HttpClient, call: Call, signal: AbortSignal): AsyncGenerator {
  const { body } = await send(http, call, CONTENT_TYPES.values, signal);
  const decoder = new ItemDecoder();
  for await (const chunk of cutOffTold(body, http.url, signal)) yield* decoder.push(chunk);
  decoder.finish();
}

async function* cutOffTold(body: AsyncIterable<Uint8Array>, url: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (error) {
    throw signal.aborted ? signal.reason : toConnectionError(error, url);
  }
}

function send(http: HttpClient, call: Call, accept: string, signal: AbortSignal): ReturnType<HttpClient["send"]> {
  const method = call.method === null ? "" : `/${encodeURIComponent(call.method)}`;
  const parameters = call.parameters.length > 0 ? `?with=${encodeURIComponent(JSON.stringify(call.parameters))}` : "";
  return http.send({
    method: "POST",
    path: `/${KIND_SEGMENTS[call.kind]}/id/${encodeURIComponent(call.functionId)}${method}${parameters}`,
    body: encodeValue(call.input, "unserializable_input"),
    headers: { "content-type": CONTENT_TYPES.value, accept, prefer: "wait" },
    signal,
  });
}
