import { afterEach, describe, expect, test } from "vitest";
import { SamovarError, decodeValue, encodeValue } from "@samovar/protocol";
import type { InputSink } from "@samovar/scheduler";
import { ADMIN_TOKEN, FakeFunction, JSON_HEAD, STARTED } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const POST = { method: "POST", body: "1" };
const LOST = new SamovarError("container_lost", "The container was lost: exit 3");

const streaming = (items: boolean, type = "application/x-ndjson"): FakeFunction =>
  new FakeFunction({
    run: ({ sink }) => {
      sink.started(STARTED);
      sink.head({ status: 200, headers: [["content-type", type]], ...(items ? { items } : {}) });
    },
  });

const sinkOf = (fn: FakeFunction): InputSink => fn.calls[0]!.sink;

/** The next piece of a body as text. */
async function nextText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | undefined> {
  const { value, done } = await reader.read();
  return done ? undefined : Buffer.from(value).toString();
}

test("bytes of every value go out as they are, small and large", async () => {
  const small = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const large = Buffer.alloc(200_000, small);
  for (const body of [small, large]) {
    const { request } = await startGateway([
      new FakeFunction({
        run: ({ sink }) =>
          sink.result(
            {
              status: 201,
              headers: [
                ["content-type", "image/png"],
                ["set-cookie", "a=1"],
                ["set-cookie", "b=2"],
              ],
            },
            body,
          ),
      }),
    ]);
    const response = await request("/endpoint/predict", POST);
    expect([response.status, response.headers.get("content-type"), response.headers.getSetCookie()]).toEqual([
      201,
      "image/png",
      ["a=1; Path=/endpoint/predict", "b=2; Path=/endpoint/predict"],
    ]);
    expect(Buffer.from(await response.arrayBuffer()).equals(body)).toBe(true);
  }
});

test("204 has no body, and headers of the connection are not the handler's to set", async () => {
  const { request } = await startGateway([
    new FakeFunction({
      run: ({ sink }) =>
        sink.result(
          {
            status: 204,
            headers: [
              ["Transfer-Encoding", "chunked"],
              ["Content-Length", "9"],
              ["X-Samovar-Task-Id", "forged"],
              ["x-mine", "1"],
            ],
          },
          Buffer.alloc(0),
        ),
    }),
  ]);
  const response = await request("/endpoint/predict", POST);
  expect([response.status, await response.text(), response.headers.get("x-mine"), response.headers.get("x-samovar-task-id")]).toEqual([204, "", "1", "tk_1"]);
  expect(response.headers.get("content-length")).toBeNull();
});

describe("streams", () => {
  test("items reach the client one by one, the head before the first", async () => {
    const fn = streaming(true);
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", POST);
    expect([response.status, response.headers.get("content-type"), response.headers.get("x-samovar-container-id")]).toEqual([
      200,
      "application/x-ndjson",
      "ct_1",
    ]);
    const reader = response.body!.getReader();
    for (const line of ['{"n":1}\n', '{"n":2}\n']) {
      sinkOf(fn).data(Buffer.from(line));
      expect(await nextText(reader)).toBe(line);
    }
    sinkOf(fn).end();
    expect(await nextText(reader)).toBeUndefined();
    expect(fn.cancelled).toEqual([]);
  });

  test("server-sent events pass through as they are", async () => {
    const fn = streaming(true, "text/event-stream");
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", { headers: { accept: "text/event-stream" } });
    sinkOf(fn).data(Buffer.from("data: 1\n\n"));
    sinkOf(fn).end();
    expect([response.headers.get("content-type"), await response.text()]).toEqual(["text/event-stream", "data: 1\n\n"]);
  });

  test("a reader that is slow stops the worker, and goes on when it reads", async () => {
    const fn = streaming(false, "application/octet-stream");
    const { port } = await startGateway([fn]);
    const client = new RawClient(port).send(["GET /endpoint/predict HTTP/1.1", "host: 127.0.0.1", `authorization: Bearer ${ADMIN_TOKEN}`]);
    await client.until(/\r\n\r\n/);
    client.socket.pause();
    const chunk = Buffer.alloc(64 * 1024, "x");
    let sent = 0;
    while (sinkOf(fn).data(chunk)) expect(++sent).toBeLessThan(10_000);
    expect(fn.resumed).toBe(0);
    client.socket.resume();
    await fn.until(() => fn.resumed > 0);
    sinkOf(fn).end();
    await client.until(/0\r\n\r\n$/);
  });

  test("a client that hangs up cancels the call, while it waits and while it streams", async () => {
    const waiting = new FakeFunction({ name: "waiting", run: ({ sink }) => sink.started(STARTED) });
    const flowing = new FakeFunction({ name: "flowing", run: streaming(true).run });
    const { port } = await startGateway([waiting, flowing]);
    for (const fn of [waiting, flowing]) {
      const client = new RawClient(port).send([`GET /endpoint/${fn.name} HTTP/1.1`, "host: 127.0.0.1", `authorization: Bearer ${ADMIN_TOKEN}`]);
      await fn.until(() => fn.calls.length === 1);
      client.socket.destroy();
      await fn.until(() => fn.cancelled.length > 0);
      expect(fn.cancelled).toEqual(["disconnected"]);
      expect(fn.calls[0]!.sink.data(Buffer.from("late"))).toBe(true);
      fn.calls[0]!.sink.result(JSON_HEAD, Buffer.from("late"));
      fn.calls[0]!.sink.end();
    }
  });

  test.each([
    [
      "application/x-ndjson",
      "*/*",
      '{"n":1}\n',
      '{"n":1}\n{"error":{"name":"SamovarError","message":"The container was lost: exit 3","code":"container_lost"}}\n',
    ],
    [
      "text/event-stream",
      "text/event-stream",
      "data: 1\n\n",
      'data: 1\n\nevent: error\ndata: {"error":{"name":"SamovarError","message":"The container was lost: exit 3","code":"container_lost"}}\n\n',
    ],
  ])("a container lost between items of %s is told as a last item", async (type, accept, item, whole) => {
    const fn = streaming(true, type);
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", { ...POST, headers: { accept } });
    sinkOf(fn).data(Buffer.from(item));
    sinkOf(fn).error({ error: LOST, thrown: null, containerId: "ct_1", attempt: 1, retryable: false });
    expect(await response.text()).toBe(whole);
  });

  test("a container lost between values is told as a value with the tag of an error", async () => {
    const fn = streaming(true, "application/vnd.samovar.values");
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", { ...POST, headers: { accept: "application/vnd.samovar.values" } });
    const value = encodeValue({ n: 1 });
    const item = Buffer.concat([Buffer.from([0, 0, 0, value.length + 1, 0]), value]);
    // In two pieces, so that lengths are followed across them.
    sinkOf(fn).data(item.subarray(0, 3));
    sinkOf(fn).data(item.subarray(3));
    sinkOf(fn).error({ error: LOST, thrown: null, containerId: "ct_1", attempt: 1, retryable: false });
    const rest = Buffer.from(await response.arrayBuffer()).subarray(item.length);
    expect([rest.readUInt32BE(0), rest[4]]).toEqual([rest.length - 4, 1]);
    expect(decodeValue(rest.subarray(5))).toEqual({
      name: "SamovarError",
      message: LOST.message,
      code: "container_lost",
      fields: {},
      stack: expect.any(String),
    });
  });

  test.each([
    ["inside an item", true, '{"n":'],
    ["in a stream that has no items", false, "bytes\n"],
  ])("a container lost %s breaks the connection off", async (_, items, sent) => {
    const fn = streaming(items);
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", POST);
    sinkOf(fn).data(Buffer.from(sent));
    sinkOf(fn).error({ error: LOST, thrown: null, containerId: "ct_1", attempt: 1, retryable: false });
    await expect(response.text()).rejects.toThrow();
  });

  test("a declared length is kept to: too little or too much breaks the connection off", async () => {
    for (const [sent, fails] of [
      ["12345", false],
      ["1234", true],
      ["123456", true],
    ] as const) {
      const fn = new FakeFunction({ run: ({ sink }) => sink.head({ status: 200, headers: [["content-length", "5"]] }) });
      const { request } = await startGateway([fn]);
      const response = await request("/endpoint/predict", POST);
      expect(response.headers.get("content-length")).toBe("5");
      sinkOf(fn).data(Buffer.from(sent));
      sinkOf(fn).end();
      if (fails) await expect(response.text()).rejects.toThrow();
      else expect(await response.text()).toBe(sent);
    }
  });

  test("HEAD of a stream has its head, and the generator is ended", async () => {
    const fn = streaming(true);
    const { request } = await startGateway([fn]);
    const response = await request("/endpoint/predict", { method: "HEAD" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    await fn.until(() => fn.cancelled.length > 0);
    expect(fn.cancelled).toEqual(["disconnected"]);
  });
});
