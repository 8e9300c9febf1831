import { CONTENT_TYPES, SamovarError, encodeJson, encodeValue, show } from "@samovar/protocol";
import type { ReplyStream } from "./reply-stream.ts";

const toHead = (status: number, contentType: string | null): Uint8Array =>
  encodeValue({ status, headers: contentType === null ? [] : [["content-type", contentType]] });

// Encoded once: nearly every answer begins with one of these.
const JSON_HEAD = toHead(200, CONTENT_TYPES.json);
const VALUE_HEAD = toHead(200, CONTENT_TYPES.value);
const TEXT_HEAD = toHead(200, "text/plain; charset=utf-8");
const BYTES_HEAD = toHead(200, "application/octet-stream");
const EMPTY_HEAD = toHead(204, null);

/**
 * Answers an HTTP caller: a string, bytes or a Response as they are, nothing as 204, all else as JSON. What JSON would change is
 * refused, or where the answer is `kept` sent as a value: its work is done, and whoever reads it gets the view they ask for.
 */
export function answerHttp(reply: ReplyStream, result: unknown, kept: boolean): Promise<void> | void {
  if (result === undefined) return reply.result(EMPTY_HEAD, null);
  if (typeof result === "string") return reply.result(TEXT_HEAD, result);
  if (typeof result === "object" && result !== null) {
    if (result instanceof Uint8Array) return reply.result(BYTES_HEAD, result);
    if (result instanceof ArrayBuffer) return reply.result(BYTES_HEAD, new Uint8Array(result));
    if (ArrayBuffer.isView(result)) return reply.result(BYTES_HEAD, new Uint8Array(result.buffer, result.byteOffset, result.byteLength));
    if (isResponse(result)) return answerResponse(reply, result);
    if (isReadableStream(result)) return answerResponse(reply, new Response(result, { headers: { "content-type": "application/octet-stream" } }));
  }
  let json: string;
  try {
    json = encodeJson(result);
  } catch (error) {
    if (!kept) throw error;
    return answerValue(reply, result);
  }
  return reply.result(JSON_HEAD, json);
}

/** Answers a handle: one value, whatever it is. */
export function answerValue(reply: ReplyStream, result: unknown): Promise<void> | void {
  if (isResponse(result)) {
    throw new SamovarError(
      "unserializable_result",
      "The result is a Response, which only an HTTP caller can get. Return plain data for callers that use the handle",
    );
  }
  return reply.result(VALUE_HEAD, encodeValue(result));
}

async function answerResponse(reply: ReplyStream, response: Response): Promise<void> {
  const head = { status: response.status, headers: sendableHeaders(response) };
  if (response.body === null) return reply.result(encodeValue(head), null);
  if (response.bodyUsed)
    throw new SamovarError("unserializable_result", "The body of the returned Response was read already. Return response.clone(), or a new Response");
  const reader = (response.body as ReadableStream<unknown>).getReader();
  reply.onUnwanted = () => void reader.cancel().catch(() => {});
  try {
    let read = reader.read();
    // A first chunk that stands ready is looked at before the head goes out: what is wrong with it then has a status of its own.
    await Promise.race([read.then(({ done, value }) => done || toBytes(value)), new Promise((resolve) => setImmediate(resolve))]);
    await reply.room();
    // Given up before its body could be told: nothing may ever come of it.
    if (!reply.isOpen) return void reader.cancel().catch(() => {});
    reply.head(head);
    for (;;) {
      const { done, value } = await read;
      if (done) return reply.end();
      if (!(await reply.data(toBytes(value)))) return;
      await reply.room();
      read = reader.read();
    }
  } catch (error) {
    reader.cancel(error).catch(() => {});
    throw error;
  }
}

/**
 * The length is left to whoever sends the bytes: one that is wrong would cut the connection. A Response that fetch gave
 * (it has a url) was decoded on the way and still carries the headers of what was encoded.
 */
function sendableHeaders(response: Response): [string, string][] {
  const left = new Set(response.url === "" ? ["content-length", "transfer-encoding"] : ["content-length", "transfer-encoding", "content-encoding"]);
  return ([...response.headers] as [string, string][]).filter(([name]) => !left.has(name));
}

/** A chunk of a body: bytes as they are, a string as UTF-8. */
function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === "string") return Buffer.from(chunk);
  throw new SamovarError(
    "unserializable_result",
    `A chunk of the returned stream is neither bytes nor a string: ${show(chunk)}. Enqueue Uint8Array or strings`,
  );
}

const tagOf = (value: unknown): string => Object.prototype.toString.call(value);

/**
 * By its tag, as `instanceof Response` alone makes Node load all of fetch, 20 ms at the first answer of a worker that
 * may never use it. Holds for a Response of another realm or of a polyfill, too.
 */
export function isResponse(value: unknown): value is Response {
  return tagOf(value) === "[object Response]";
}

function isReadableStream(value: unknown): value is ReadableStream<Uint8Array> {
  return tagOf(value) === "[object ReadableStream]";
}
