import { SamovarError, fromSerializedError, type SerializedError } from "./errors.ts";
import { encodeJson } from "./json.ts";
import type { InputHead } from "./messages.ts";
import { decodeValue, encodeValue } from "./values.ts";

/**
 * The items of a generator as bytes, in the three forms that callers ask for. Runner and gateway share this, so that
 * an error looks the same whoever noticed it: the worker (the generator threw) or the server (a timeout, a lost
 * container).
 *
 * `values`: each item is `length u32 | tag u8 | value`, the length counting tag and value.
 */
export type ItemForm = InputHead["stream"];

const TAG_ITEM = 0;
const TAG_ERROR = 1;
const TAG_END = 2;
const MAX_ITEM_BYTES = 16 * 1024 * 1024;

export const ITEM_CONTENT_TYPES: Readonly<Record<ItemForm, string>> = {
  ndjson: "application/x-ndjson",
  sse: "text/event-stream",
  values: "application/vnd.samovar.values",
};

/** One item. Throws `unserializable_result` for what the form can't carry. */
export function encodeItem(form: ItemForm, item: unknown): Buffer {
  switch (form) {
    case "ndjson":
      return Buffer.from(`${encodeJson(item)}\n`);
    case "sse":
      return Buffer.from(`data: ${encodeJson(item)}\n\n`);
    case "values":
      return prefixed(TAG_ITEM, encodeValue(item));
  }
}

/** The last thing in a stream that broke. JSON readers get name, message and code; handles the whole error. */
export function encodeItemError(form: ItemForm, error: SerializedError): Buffer {
  const { name, message, code = "handler_error" } = error;
  switch (form) {
    case "ndjson":
      return Buffer.from(`${JSON.stringify({ error: { name, message, code } })}\n`);
    case "sse":
      return Buffer.from(`event: error\ndata: ${JSON.stringify({ error: { name, message, code } })}\n\n`);
    case "values":
      return prefixed(TAG_ERROR, encodeValue(error));
  }
}

/**
 * What ends a stream that went well, so that it can be told from one that was cut off. Lines have nothing of the kind:
 * each of them is an item, and the end of the body is theirs.
 */
export function encodeItemEnd(form: ItemForm): Buffer | null {
  switch (form) {
    case "ndjson":
      return null;
    case "sse":
      // Without data a browser would not tell of it.
      return Buffer.from("event: end\ndata: {}\n\n");
    case "values":
      return prefixed(TAG_END, null);
  }
}

/**
 * Reads a `values` stream. `push` returns the items that became whole; an error in the stream is thrown by the
 * `push` that would go past it, after the items before it were returned.
 */
export class ItemDecoder {
  #rest: Buffer = Buffer.alloc(0);
  #error: Error | null = null;
  #ended = false;

  /** The stream said its end. One that stops without it was cut off. */
  get ended(): boolean {
    return this.#ended;
  }

  push(chunk: Uint8Array): unknown[] {
    if (this.#error) throw this.#error;
    let bytes = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    const items: unknown[] = [];
    while (bytes.length >= 4 && !this.#ended) {
      const size = bytes.readUInt32BE(0);
      if (size < 1 || size > MAX_ITEM_BYTES) throw new SamovarError("protocol_error", `An item says it has ${size} bytes`);
      if (bytes.length < 4 + size) break;
      const tag = bytes[4];
      const value = bytes.subarray(5, 4 + size);
      bytes = bytes.subarray(4 + size);
      if (tag === TAG_ITEM) items.push(decodeValue(value));
      else if (tag === TAG_END) this.#ended = true;
      else if (tag === TAG_ERROR) {
        this.#ended = true;
        this.#error = fromSerializedError(decodeValue(value) as SerializedError);
        if (items.length === 0) throw this.#error;
      } else throw new SamovarError("protocol_error", `An item has the unknown tag ${tag}`);
    }
    this.#rest = Buffer.from(bytes);
    return items;
  }

  /** To be called when the bytes end: throws what the stream broke with, or that it was cut off. */
  finish(): void {
    if (this.#error) throw this.#error;
    if (!this.#ended) throw new SamovarError("container_lost", "The stream was cut off before its end");
  }
}

function prefixed(tag: number, value: Uint8Array | null): Buffer {
  const size = 1 + (value?.length ?? 0);
  if (size > MAX_ITEM_BYTES)
    throw new SamovarError("unserializable_result", `An item has ${size} bytes, over the limit of ${MAX_ITEM_BYTES}. Yield smaller ones`);
  const bytes = Buffer.allocUnsafe(4 + size);
  bytes.writeUInt32BE(size, 0);
  bytes[4] = tag;
  if (value) bytes.set(value, 5);
  return bytes;
}
