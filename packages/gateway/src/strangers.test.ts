import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_TOKEN, FakeFunction, JSON_HEAD, STARTED } from "./fakes.fixture.ts";
import { RawClient, WatchedClock, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const HOST = "host: localhost\r\n";
const POST = `POST /endpoint/predict HTTP/1.1\r\n${HOST}authorization: Bearer ${ADMIN_TOKEN}\r\ncontent-type: application/json\r\n`;
const CHUNKED = `${POST}transfer-encoding: chunked\r\n\r\n`;
/** What would be answered if the parser took the bytes before it for less than they are. */
const SMUGGLED = `GET /endpoint/predict HTTP/1.1\r\n${HOST}authorization: Bearer ${ADMIN_TOKEN}\r\n\r\n`;
const status = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));

describe("a request that two readers may read differently is refused, and nothing behind it is read", () => {
  test.each([
    ["a length beside chunks", `${POST}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["chunks beside a length", `${POST}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n`, 400],
    ["one length twice", `${POST}content-length: 1\r\ncontent-length: 1\r\n\r\n1`, 400],
    ["two lengths in one header", `${POST}content-length: 1, 1\r\n\r\n1`, 400],
    ["a length with a sign", `${POST}content-length: +1\r\n\r\n1`, 400],
    ["a length over all numbers", `${POST}content-length: 99999999999999999999\r\n\r\n1`, 400],
    ["an empty length", `${POST}content-length:\r\n\r\n1`, 400],
    ["a coding behind chunked", `${POST}transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 400],
    ["chunked twice", `${POST}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["a space before the colon", `${POST}content-length : 1\r\n\r\n1`, 400],
    ["a header over two lines", `${POST}x-a: b\r\n c\r\ncontent-length: 1\r\n\r\n1`, 400],
    ["lines that end without CR", `${POST}x-a: b\ncontent-length: 1\r\n\r\n1`, 400],
    ["a CR inside a header", `${POST}x-a: b\rcontent-length: 1\r\n\r\n1`, 400],
    ["a NUL inside a header", `${POST}x-a: b\0\r\ncontent-length: 1\r\n\r\n1`, 400],
    ["a header without a name", `${POST}: x\r\n\r\n`, 400],
    ["a chunk whose size is no number", `${CHUNKED}ZZ\r\n1\r\n0\r\n\r\n`, 400],
    ["a chunk over all numbers", `${CHUNKED}FFFFFFFFFFFFFFFFF\r\n1\r\n0\r\n\r\n`, 400],
    ["a chunk longer than its size", `${CHUNKED}1\r\n1X\r\n0\r\n\r\n`, 400],
    ["a chunk's line that ends without CR", `${CHUNKED}1\n1\r\n0\r\n\r\n`, 400],
    ["extensions of a chunk without end", `${CHUNKED}1;${"a".repeat(20_000)}\r\n1\r\n0\r\n\r\n`, 413],
    ["trailers without end", `${CHUNKED}1\r\n1\r\n0\r\nx: ${"a".repeat(40_000)}\r\n\r\n`, 431],
    ["another version", `GET /livez HTTP/1.2\r\n${HOST}\r\n`, 400],
    ["HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ])("%s", async (_, bytes, expected) => {
    const predict = new FakeFunction();
    const { port } = await startGateway([predict]);
    const text = await new RawClient(port).send(bytes + SMUGGLED).closed();
    expect([status(text), predict.calls.length]).toEqual([[expected], 0]);
    expect(text).toMatch(/content-type: application\/problem\+json\r\n.*connection: close\r\n.*"code":"invalid_request"/is);
  });

  test.each([
    ["a coding that isn't chunked", "1.1", "xchunked"],
    ["a coding below chunked", "1.1", "gzip, chunked"],
    ["chunks in HTTP/1.0", "1.0", "chunked"],
  ])("%s", async (_, version, coding) => {
    const predict = new FakeFunction();
    const { port } = await startGateway([predict]);
    const head = `${POST.replace("HTTP/1.1", `HTTP/${version}`)}transfer-encoding: ${coding}\r\nconnection: close\r\n\r\n`;
    expect(await new RawClient(port).send(`${head}1\r\n1\r\n0\r\n\r\n`).closed()).toMatch(/^HTTP\/1.1 501 .*only chunked is read/s);
    expect(predict.calls).toEqual([]);
  });

  test("a body that goes bad while it streams cancels its call", async () => {
    const predict = new FakeFunction({ run: ({ sink }) => sink.started(STARTED) });
    const { port } = await startGateway([predict]);
    const client = new RawClient(port).send(CHUNKED.replace("application/json", "text/plain"), "2\r\nab\r\n");
    await predict.until(() => predict.calls.length === 1);
    expect(status(await client.send("ZZ\r\n").closed())).toEqual([400]);
    await predict.until(() => predict.cancelled.length > 0);
    await expect(predict.calls[0]!.input.bodyStream![Symbol.asyncIterator]().next()).rejects.toThrow(/left after 2 bytes/);
  });

  test("the body of a GET is no request", async () => {
    const predict = new FakeFunction();
    const { port } = await startGateway([predict]);
    const head = SMUGGLED.replace("\r\n\r\n", `\r\nconnection: close\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n`);
    expect(status(await new RawClient(port).send(head + SMUGGLED).closed())).toEqual([200]);
    expect(predict.calls).toHaveLength(1);
  });
});

describe("a stranger's request is bounded", () => {
  test.each([
    ["a target that is too long", `GET /${"a".repeat(40_000)} HTTP/1.1\r\n${HOST}\r\n`],
    ["headers that are too large", `GET /livez HTTP/1.1\r\n${HOST}x: ${"a".repeat(40_000)}\r\n\r\n`],
    ["too many headers", `GET /livez HTTP/1.1\r\n${HOST}${"a:b\r\n".repeat(200)}connection: close\r\n\r\n`],
  ])("%s: 431", async (_, bytes) => {
    const { port } = await startGateway([]);
    expect(await new RawClient(port).send(bytes).closed()).toMatch(/^HTTP\/1.1 431 .*application\/problem\+json.*"status":431/s);
  });

  test("a connection on which nothing comes is given up on, as is a head that never ends", async () => {
    const { port } = await startGateway([], { timeouts: { headersMs: 200 } });
    const clients = [new RawClient(port), new RawClient(port).send("GET /livez HTTP/1.1\r\nhost: local")];
    for (const client of clients) expect(await client.closed()).toMatch(/^HTTP\/1.1 408 .*application\/problem\+json/s);
  });

  test("an Expect that can't be met: 417", async () => {
    const { port } = await startGateway([new FakeFunction()]);
    expect(await new RawClient(port).send(`${POST}expect: wonders\r\ncontent-length: 1\r\n\r\n`).closed()).toMatch(
      /^HTTP\/1.1 417 .*application\/problem\+json.*wonders/s,
    );
  });

  test("without a token no body is asked for, and one that comes all the same is only waited for to end for a while", async () => {
    const clock = new WatchedClock();
    const predict = new FakeFunction();
    const { port } = await startGateway([predict], { clock });
    const head = `POST /endpoint/predict HTTP/1.1\r\n${HOST}content-length: 1000000000\r\n`;
    for (const path of ["/endpoint/predict", "/api/v1/blobs/missing"])
      expect(await new RawClient(port).send(`${head.replace("/endpoint/predict", path)}expect: 100-continue\r\n\r\n`).closed()).toMatch(/^HTTP\/1.1 401 /);
    const pushing = new RawClient(port).send(`${head}\r\n`, "x".repeat(1_000));
    expect(await pushing.until(/\}/)).toMatch(/^HTTP\/1.1 401 /);
    await clock.nextTimer();
    clock.advance(5_000);
    await pushing.closed();
    expect(predict.calls).toEqual([]);
  });

  test.each([
    ["GET /livez", 200],
    ["POST /readyz", 405],
    ["GET /metrics", 200],
    ["GET /endpoint/predict", 200],
    ["DELETE /endpoint/predict", 405],
    ["OPTIONS /endpoint/predict", 204],
    ["GET /nowhere", 404],
  ])("a body to %s, which takes none, is not taken in without end", async (line, expected) => {
    const clock = new WatchedClock();
    const { port } = await startGateway([new FakeFunction()], { clock, metrics: async () => ({ contentType: "text/plain", body: "1" }) });
    const client = new RawClient(port).send(
      `${line} HTTP/1.1\r\n${HOST}authorization: Bearer ${ADMIN_TOKEN}\r\ntransfer-encoding: chunked\r\n\r\n`,
      "1\r\nx\r\n",
    );
    expect(status(await client.until(/\r\n\r\n/))).toEqual([expected]);
    await clock.nextTimer();
    clock.advance(5_000);
    await client.closed();
  });

  test("so many connections and no more; one that ends makes room", async () => {
    const warned: unknown[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (fields: object) => warned.push(fields), child: () => logger };
    const { port } = await startGateway([], { maxConnections: 2, logger });
    const alive = async (client: RawClient): Promise<unknown> => client.send(`GET /livez HTTP/1.1\r\n${HOST}\r\n`).until(/\}/);
    const [first, second] = [new RawClient(port), new RawClient(port)];
    await Promise.all([alive(first), alive(second)]);
    for (let i = 0; i < 3; i++) expect(await new RawClient(port).closed()).toBe("");
    expect(warned).toEqual([{ dropped: 1, maxConnections: 2 }]);
    first.send(`GET /livez HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`);
    await first.closed();
    await alive(new RawClient(port));
    await alive(second);
  });

  test("requests without end on one connection, by a client that reads nothing, stop at the socket", async () => {
    const { port, request } = await startGateway([new FakeFunction()]);
    const client = new RawClient(port);
    client.socket.pause();
    const flood = Buffer.from(`GET /endpoint/predict HTTP/1.1\r\n${HOST}\r\n`.repeat(500_000));
    client.socket.write(flood);
    // The server takes turns between connections: after so many of this one, a flood that is not held back has flowed.
    for (let i = 0; i < 300; i++) await (await request("/livez")).text();
    expect(client.socket.writableLength).toBeGreaterThan(flood.length / 2);
    client.socket.destroy();
  });
});

describe("a client that takes in nothing of its answer is left", () => {
  const large = Buffer.alloc(4 * 1024 * 1024, "x");
  /** More than any kernel buffers. */
  const huge = Buffer.alloc(32 * 1024 * 1024, "x");
  const answering = (body: Buffer): FakeFunction =>
    new FakeFunction({
      run: ({ sink }) => {
        sink.started(STARTED);
        sink.result(JSON_HEAD, body);
      },
    });
  const ask = (port: number): RawClient => {
    const client = new RawClient(port).send(SMUGGLED);
    client.socket.pause();
    return client;
  };

  /** Sends for as long as somebody takes it in. */
  const endlessly = (name: string): FakeFunction =>
    new FakeFunction({
      name,
      run: ({ sink }) => {
        sink.started(STARTED);
        sink.head({ status: 200, headers: [] });
        while (sink.data(large));
      },
    });

  test("in the middle of a stream, and the call is cancelled", async () => {
    const fn = endlessly("predict");
    const { port } = await startGateway([fn], { timeouts: { readerIdleMs: 200 } });
    const client = ask(port);
    await fn.until(() => fn.cancelled.length > 0);
    expect(fn.cancelled).toEqual(["disconnected"]);
    client.socket.destroy();
  });

  test("at the end of an answer that came whole", async () => {
    const fn = answering(huge);
    const { port, gateway } = await startGateway([fn], { timeouts: { readerIdleMs: 200 } });
    const client = ask(port);
    await fn.until(() => fn.calls.length === 1);
    // Waits for every connection to be gone, and cuts none before the test's own time is over.
    await gateway.dispose({ graceMs: 600_000 });
    client.socket.resume();
    expect((await client.closed()).length).toBeLessThan(huge.length);
  });

  test("but not the one whose next call takes longer than that", async () => {
    const slow = new FakeFunction({ name: "slow", run: ({ sink }) => sink.started(STARTED) });
    const endless = endlessly("endless");
    const { port } = await startGateway([answering(huge), slow, endless], { timeouts: { readerIdleMs: 1_000 } });
    const client = new RawClient(port).send(SMUGGLED + SMUGGLED.replace("predict", "slow"));
    await slow.until(() => slow.calls.length === 1);
    // Another one that takes in nothing, from now on, is left: for longer than that the call has taken then.
    const idle = new RawClient(port).send(SMUGGLED.replace("predict", "endless"));
    idle.socket.pause();
    await endless.until(() => endless.cancelled.length > 0);
    idle.socket.destroy();
    slow.calls[0]!.sink.result(JSON_HEAD, Buffer.from('"done"'));
    expect(status(await client.until(/"done"$/))).toEqual([200, 200]);
  });
});
