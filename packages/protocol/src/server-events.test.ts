import { expect, test } from "vitest";
import { encodeServerEvent, readServerEvents } from "./server-events.ts";

async function read(chunks: readonly string[], name = "message"): Promise<unknown[]> {
  const body = (async function* () {
    for (const chunk of chunks) yield Buffer.from(chunk);
  })();
  return await Array.fromAsync(readServerEvents(body, name));
}

test.each([
  ["one event", ['data: {"a":1}\n\n'], [{ a: 1 }]],
  ["events cut anywhere", ["da", 'ta: {"a"', ":1}\n", '\ndata:{"a":2}\n\n'], [{ a: 1 }, { a: 2 }]],
  ["carriage returns, also where a chunk ends between them", ['data: {"a":1}\r', "\n\r", "\n", 'data: {"a":2}\r\n\r\n'], [{ a: 1 }, { a: 2 }]],
  ["comments, ids and events of other names are passed over", [': ping\n\nevent: end\ndata: {"a":2}\n\nid: 7\ndata: {"a":1}\n\n'], [{ a: 1 }]],
  ["an event without data is none, and its name is not the next one's", ['event: end\n\ndata: {"a":1}\n\n'], [{ a: 1 }]],
  ["data of several lines is one", ['data: {"a":\ndata: 1}\n\n'], [{ a: 1 }]],
  ["what is cut off by the end is left out", ['data: {"a":1}\n\ndata: {"a":2}\n'], [{ a: 1 }]],
])("%s", async (_name, chunks, expected) => {
  expect(await read(chunks)).toEqual(expected);
});

test("data that is not JSON is named", async () => {
  await expect(read(["data: hello\n\n"])).rejects.toThrow("The server sent an event that is not JSON: hello");
});

test("events are read by their name as they were written", async () => {
  const text = encodeServerEvent("status", { a: "two\nlines" }) + encodeServerEvent("end", {});
  expect([await read([text], "status"), await read([text], "end")]).toEqual([[{ a: "two\nlines" }], [{}]]);
});
