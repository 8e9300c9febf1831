import { expect, test } from "vitest";
import { ItemDecoder, encodeItem, encodeItemEnd, encodeItemError } from "./item-stream.ts";

test("items come back one by one, however the bytes are cut", () => {
  const items = [1, "two", { three: new Map([[3, 3n]]) }, undefined];
  const bytes = Buffer.concat([...items.map((item) => encodeItem("values", item)), encodeItemEnd("values")!]);
  const decoder = new ItemDecoder();
  const seen: unknown[] = [];
  for (const byte of bytes) seen.push(...decoder.push(Uint8Array.of(byte)));
  expect(seen).toStrictEqual(items);
  decoder.finish();
});

test("an error is thrown after the items before it, and a stream without end was cut off", () => {
  const broken = new ItemDecoder();
  const bytes = Buffer.concat([encodeItem("values", 1), encodeItemError("values", { name: "RangeError", message: "late" })]);
  expect(broken.push(bytes)).toEqual([1]);
  expect(() => broken.push(Buffer.alloc(0))).toThrow("late");
  expect(() => broken.finish()).toThrow("late");
  const cut = new ItemDecoder();
  cut.push(encodeItem("values", 1).subarray(0, 5));
  expect(() => cut.finish()).toThrow(expect.objectContaining({ code: "container_lost" }));
});

test("malformed items are refused", () => {
  for (const bytes of [
    [0, 0, 0, 0],
    [0, 0, 0, 2, 9, 0xc0],
    [0xff, 0xff, 0xff, 0xff],
  ]) {
    expect(() => new ItemDecoder().push(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: "protocol_error" }));
  }
});

test("a stream of events says its end as an event that browsers tell of; lines have nothing beside items", () => {
  expect(encodeItemEnd("sse")!.toString()).toBe("event: end\ndata: {}\n\n");
  expect(encodeItemEnd("ndjson")).toBeNull();
});

test("an error keeps to one line of NDJSON and one event, without its stack", () => {
  const error = { name: "Error", message: "two\nlines", stack: "secret", code: "timeout" };
  expect(encodeItemError("ndjson", error).toString()).toBe('{"error":{"name":"Error","message":"two\\nlines","code":"timeout"}}\n');
  expect(encodeItemError("sse", error).toString()).toBe('event: error\ndata: {"error":{"name":"Error","message":"two\\nlines","code":"timeout"}}\n\n');
});
