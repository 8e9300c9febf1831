import { afterEach, describe, expect, test } from "vitest";
import { INLINE_BODY_BYTES } from "@samovar/protocol";
import { ADMIN_TOKEN, FakeFunction, JSON_HEAD, STARTED, type Behaviour } from "./fakes.fixture.ts";
import { RawClient, WatchedClock, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

/** Reads the whole body, then answers with its size and how it came. */
const measure: Behaviour = ({ input, sink }) => {
  sink.started(STARTED);
  const answer = (size: number): void => sink.result(JSON_HEAD, Buffer.from(JSON.stringify({ size, streamed: input.bodyStream !== null })));
  if (!input.bodyStream) return answer(input.body?.length ?? 0);
  void (async () => {
    let size = 0;
    try {
      for await (const chunk of input.bodyStream!) size += chunk.length;
      answer(size);
    } catch {
      // The sink was told already.
    }
  })();
};

const head = (...lines: readonly string[]): string[] => [
  "POST /endpoint/predict HTTP/1.1",
  "host: 127.0.0.1",
  `authorization: Bearer ${ADMIN_TOKEN}`,
  ...lines,
];

/** A body in chunks, so that its length is not told. */
const chunked = (chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

test("a body comes whole up to the inline limit and as a stream above it, however it was sent", async () => {
  const { request } = await startGateway([new FakeFunction({ run: measure })]);
  for (const [size, streamed] of [
    [INLINE_BODY_BYTES, false],
    [INLINE_BODY_BYTES + 1, true],
    [3_000_000, true],
  ] as const) {
    const body = Buffer.alloc(size, "x");
    const sent = await request("/endpoint/predict", { method: "POST", body, headers: { "content-type": "application/json" } });
    expect(await sent.json()).toEqual({ size, streamed });
    const parts = [body.subarray(0, 1_000), body.subarray(1_000)];
    const inChunks = await request("/endpoint/predict", {
      method: "POST",
      body: chunked(parts),
      duplex: "half",
      headers: { "content-type": "application/json" },
    });
    expect(await inChunks.json()).toEqual({ size, streamed });
  }
});

test("a raw body of unknown length is a stream from its first byte, and the answer may begin before it ends", async () => {
  const duplex = new FakeFunction({
    run: ({ input, sink }) => {
      sink.started(STARTED);
      sink.head({ status: 200, headers: [["content-type", "text/plain"]] });
      void (async () => {
        for await (const chunk of input.bodyStream!) sink.data(Buffer.from(chunk.toString().toUpperCase()));
        sink.end();
      })();
    },
  });
  const { port } = await startGateway([duplex]);
  const client = new RawClient(port).send(head("content-type: text/plain", "transfer-encoding: chunked"));
  client.send("2\r\nab\r\n");
  await client.until(/AB\r\n/);
  client.send("2\r\ncd\r\n0\r\n\r\n");
  expect(await client.until(/0\r\n\r\n$/)).toMatch(/AB\r\n.*CD\r\n0\r\n\r\n$/s);
});

test("a stream that isn't read stops the client, and goes on with the reader", async () => {
  let read: (() => Promise<number>) | undefined;
  const slow = new FakeFunction({
    run: ({ input, sink }) => {
      sink.started(STARTED);
      read = async () => {
        let size = 0;
        for await (const chunk of input.bodyStream!) size += chunk.length;
        sink.result(JSON_HEAD, Buffer.from("1"));
        return size;
      };
    },
  });
  const size = 40_000_000;
  const { port, request } = await startGateway([slow]);
  const client = new RawClient(port).send(head("content-type: application/octet-stream", `content-length: ${size}`));
  await slow.until(() => slow.calls.length === 1);
  const flushed = new Promise<void>((resolve) => client.socket.write(Buffer.alloc(size), () => resolve()));
  // The server takes turns between connections: after so many of this one, a body that is not held back has flowed.
  for (let i = 0; i < 300; i++) await (await request("/livez")).text();
  expect(client.socket.writableLength).toBeGreaterThan(size / 2);
  expect(await read!()).toBe(size);
  await flushed;
  await client.until(/HTTP\/1.1 200/);
});

describe("limits", () => {
  test("a declared length over the limit is refused before a byte is read", async () => {
    const predict = new FakeFunction();
    const { port } = await startGateway([predict], { maxBodyBytes: 1_000 });
    const client = new RawClient(port).send(head("content-type: application/json", "content-length: 1001"));
    const text = await client.until(/\r\n\r\n.*\}/s);
    expect(text).toMatch(
      /^HTTP\/1.1 413 .*application\/problem\+json.*"detail":"The body has 1001 bytes or more: the limit is 1000".*"code":"payload_too_large"/s,
    );
    // The rest is taken in, so that a client which writes before it reads sees the answer and may go on.
    client.send("x".repeat(1_001));
    client.send(head("content-type: application/json", "content-length: 1"), "1");
    await client.until(/HTTP\/1.1 200/);
    expect(predict.calls).toHaveLength(1);
  });

  test("a body of unknown length is refused as soon as it is over the limit, gathered or streamed", async () => {
    const predict = new FakeFunction({ run: measure });
    const { port } = await startGateway([predict], { maxBodyBytes: INLINE_BODY_BYTES + 10 });
    const chunk = (size: number): string => `${size.toString(16)}\r\n${"x".repeat(size)}\r\n`;
    for (const type of ["application/json", "text/plain"]) {
      const client = new RawClient(port).send(head(`content-type: ${type}`, "transfer-encoding: chunked"));
      client.send(chunk(INLINE_BODY_BYTES)).send(chunk(100));
      expect(await client.until(/\r\n\r\n.*\}/s)).toMatch(/^HTTP\/1.1 413 .*payload_too_large/s);
      client.socket.destroy();
    }
    expect(predict.cancelled.every((reason) => reason === "cancelled")).toBe(true);
  });

  test("a limit below the inline size holds for gathered bodies of unknown length", async () => {
    const predict = new FakeFunction();
    const { request } = await startGateway([predict], { maxBodyBytes: 10 });
    const response = await request("/endpoint/predict", {
      method: "POST",
      body: chunked([Buffer.alloc(8), Buffer.alloc(8)]),
      duplex: "half",
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(413);
    expect(predict.calls).toEqual([]);
  });

  test("a small body that never becomes whole is refused when its time is up", async () => {
    const clock = new WatchedClock();
    const predict = new FakeFunction();
    const { port } = await startGateway([predict], { clock, timeouts: { gatherMs: 1_000 } });
    const client = new RawClient(port).send(head("content-type: application/json", "content-length: 10"), "12345");
    await clock.nextTimer();
    clock.advance(1_000);
    expect(await client.until(/\}/)).toMatch(/^HTTP\/1.1 400 .*"detail":"The body was not whole after 1 s: 5 bytes had come"/s);
    clock.advance(5_000);
    await client.closed();
    expect(predict.calls).toEqual([]);
  });

  test("a stream that falls silent while it is read fails the call", async () => {
    const clock = new WatchedClock();
    const began = Promise.withResolvers<void>();
    const predict = new FakeFunction({
      run: ({ input }) => {
        void (async () => {
          try {
            for await (const _ of input.bodyStream!) began.resolve();
          } catch {
            // The sink was told already.
          }
        })();
      },
    });
    const { port } = await startGateway([predict], { clock, timeouts: { bodyIdleMs: 1_000 } });
    const client = new RawClient(port).send(head("content-type: text/plain", "transfer-encoding: chunked"), "2\r\nab\r\n");
    await began.promise;
    clock.advance(1_000);
    expect(await client.until(/\}/)).toMatch(/^HTTP\/1.1 400 .*"detail":"The body stopped arriving: nothing for 1 s after 2 bytes"/s);
    expect(predict.cancelled).toEqual(["cancelled"]);
  });
});

test("a client that leaves in the middle of its body: nothing is called, or what was is cancelled", async () => {
  const predict = new FakeFunction({ run: measure });
  const { port } = await startGateway([predict]);
  const streaming = new RawClient(port).send(head("content-type: text/plain", "transfer-encoding: chunked"), "2\r\nab\r\n");
  await predict.until(() => predict.calls.length === 1);
  streaming.socket.destroy();
  await predict.until(() => predict.cancelled.length === 1);
  expect(predict.cancelled).toEqual(["disconnected"]);
  await expect(predict.calls[0]!.input.bodyStream![Symbol.asyncIterator]().next()).rejects.toThrow(/The caller left after 2 bytes/);
  const gathering = new RawClient(port).send(head("content-type: application/json", "content-length: 10"), "12345");
  await new Promise((resolve) => gathering.socket.once("connect", resolve));
  gathering.socket.destroy();
  await gathering.closed();
  expect(predict.calls).toHaveLength(1);
});

test("a handler that answers without reading its body leaves the connection usable", async () => {
  const hasty = new FakeFunction({
    run: ({ input, sink }) => {
      sink.started(STARTED);
      void input.bodyStream?.[Symbol.asyncIterator]().return?.();
      sink.result(JSON_HEAD, Buffer.from("1"));
    },
  });
  const { port } = await startGateway([hasty]);
  const client = new RawClient(port).send(head("content-type: text/plain", `content-length: ${INLINE_BODY_BYTES * 4}`));
  await client.until(/HTTP\/1.1 200/);
  client.send("x".repeat(INLINE_BODY_BYTES * 4));
  client.send(head("content-length: 0"));
  await client.until(/HTTP\/1.1 200.*HTTP\/1.1 200/s);
  expect(hasty.calls).toHaveLength(2);
});

describe("expect: 100-continue", () => {
  test("is answered when the body is wanted", async () => {
    const { port } = await startGateway([new FakeFunction()]);
    const client = new RawClient(port).send(head("content-type: application/json", "content-length: 2", "expect: 100-continue"));
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n/);
    client.send("42");
    expect(await client.until(/HTTP\/1.1 200.*42$/s)).toMatch(/^HTTP\/1.1 100 Continue/);
  });

  test("is refused, and the connection closed, when it is not", async () => {
    const { port } = await startGateway([new FakeFunction()], { maxBodyBytes: 1 });
    const client = new RawClient(port).send(head("content-type: application/json", "content-length: 2", "expect: 100-continue"));
    const text = await client.closed();
    expect(text).toMatch(/^HTTP\/1.1 413 /);
    expect(text).not.toContain("100 Continue");
  });
});
