import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_TOKEN, FakeFunction, JSON_HEAD, STARTED } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const get = (path: string): string[] => [`GET ${path} HTTP/1.1`, "host: 127.0.0.1", `authorization: Bearer ${ADMIN_TOKEN}`];
const hold = (name: string): FakeFunction => new FakeFunction({ name, run: ({ sink }) => sink.started(STARTED) });

describe("health", () => {
  test("/livez and /readyz need no token and answer on any host", async () => {
    let reason: string | null = "storage is opening";
    const { port, request } = await startGateway([], { notReady: () => reason });
    expect(await (await request("/livez", { headers: { authorization: "" } })).json()).toEqual({ status: "ok" });
    const starting = await request("/readyz", { headers: { authorization: "" } });
    expect([starting.status, await starting.json()]).toEqual([503, { status: "unavailable", reason: "storage is opening" }]);
    reason = null;
    const text = await new RawClient(port).send(["GET /readyz?verbose HTTP/1.1", "host: anything.example", "connection: close"]).closed();
    expect(text).toMatch(/^HTTP\/1.1 200 .*\{"status":"ok"\}$/s);
    expect((await request("/livez", { method: "POST" })).status).toBe(405);
    expect((await request("/livezz")).status).toBe(404);
  });
});

describe("draining and dispose", () => {
  test("drain refuses new calls, says so at /readyz, and lets those under way finish", async () => {
    const slow = hold("slow");
    const { port, gateway, request } = await startGateway([slow]);
    const client = new RawClient(port).send(get("/endpoint/slow"));
    await slow.until(() => slow.calls.length === 1);
    gateway.drain();
    expect((await request("/readyz")).status).toBe(503);
    expect((await request("/livez")).status).toBe(200);
    const refused = await request("/endpoint/slow");
    expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toMatchObject([503, "1", { code: "shutting_down" }]);
    slow.calls[0]!.sink.result(JSON_HEAD, Buffer.from("1"));
    expect(await client.closed()).toMatch(/^HTTP\/1.1 200 .*connection: close.*\r\n1$/is);
  });

  test("dispose waits for calls under way, answers and streams, then closes their connections", async () => {
    const slow = hold("slow");
    const stream = new FakeFunction({ name: "stream", run: ({ sink }) => sink.head({ status: 200, headers: [] }) });
    const { port, gateway } = await startGateway([slow, stream]);
    const clients = [new RawClient(port).send(get("/endpoint/slow")), new RawClient(port).send(get("/endpoint/stream"))];
    await slow.until(() => slow.calls.length === 1);
    await clients[1]!.until(/\r\n\r\n/);
    const idle = new RawClient(port).send(get("/livez"));
    await idle.until(/\}/);
    let disposed = false;
    const disposing = gateway.dispose({ graceMs: 60_000 }).then(() => (disposed = true));
    await idle.closed();
    expect(disposed).toBe(false);
    slow.calls[0]!.sink.result(JSON_HEAD, Buffer.from("1"));
    stream.calls[0]!.sink.data(Buffer.from("last"));
    stream.calls[0]!.sink.end();
    await disposing;
    expect(await clients[0]!.closed()).toMatch(/\r\n1$/);
    expect(await clients[1]!.closed()).toMatch(/last\r\n0\r\n\r\n$/);
    expect([...slow.cancelled, ...stream.cancelled]).toEqual([]);
  });

  test("what is still busy after the grace is cut, and its call cancelled; a second dispose is the same", async () => {
    const slow = hold("slow");
    const { port, gateway } = await startGateway([slow]);
    const client = new RawClient(port).send(get("/endpoint/slow"));
    await slow.until(() => slow.calls.length === 1);
    await Promise.all([gateway.dispose({ graceMs: 0 }), gateway.dispose({ graceMs: 60_000 })]);
    expect(await client.closed()).toBe("");
    await slow.until(() => slow.cancelled.length > 0);
    expect(slow.cancelled).toEqual(["disconnected"]);
  });
});

test("a port that is taken is a named error, and a free one a URL", async () => {
  const { port, url } = await startGateway([]);
  expect(url).toBe(`http://127.0.0.1:${port}`);
  const second = await startGateway([]);
  await second.gateway.dispose({ graceMs: 0 });
  await expect(second.gateway.listen("127.0.0.1", port)).rejects.toMatchObject({ code: "port_in_use", message: expect.stringContaining(String(port)) });
});

describe("what is not a request", () => {
  test.each([
    ["garbage", "\x16\x03\x01garbage\r\n\r\n", 400],
    ["a header that is too large", `GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-big: ${"x".repeat(40_000)}\r\n\r\n`, 431],
    ["a request target that is no path", "GET nowhere HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n", 400],
    ["two lengths", "POST /endpoint/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n11", 400],
    ["a length beside chunks", "POST /endpoint/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  ])("%s gets a problem and the connection closed", async (_, bytes, status) => {
    const { port } = await startGateway([new FakeFunction()]);
    const client = new RawClient(port);
    client.socket.write(bytes, "latin1");
    expect(await client.closed()).toMatch(new RegExp(`^HTTP/1.1 ${status} .*application/problem\\+json.*invalid_request`, "s"));
  });

  test("headers that never end are given up on", async () => {
    const { port } = await startGateway([], { timeouts: { headersMs: 200 } });
    const client = new RawClient(port).send("GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ");
    expect(await client.closed()).toMatch(/^HTTP\/1.1 408 .*did not come in time/s);
  });

  test("a whole URL as the request's target is taken as its path, if it is for the host that Host names", async () => {
    const { port } = await startGateway([]);
    const target = `GET http://LOCALHOST:${port}/livez HTTP/1.1`;
    expect(await new RawClient(port).send([target, `host: localhost:${port}`, "connection: close"]).closed()).toMatch(/^HTTP\/1.1 200 /);
    expect(await new RawClient(port).send([target, "host: evil.example", "connection: close"]).closed()).toMatch(/^HTTP\/1.1 400 .*send one host/s);
  });
});

test("calls on one connection come one after another, pipelined or not", async () => {
  const { port } = await startGateway([new FakeFunction()]);
  const client = new RawClient(port).send(get("/endpoint/predict?n=1"), `${get("/endpoint/predict?n=2").join("\r\n")}\r\n\r\n`);
  expect(await client.until(/"n":"2"/)).toMatch(/"n":"1".*"n":"2"/s);
});

test("a function table that fails is an internal problem, logged and not shown", async () => {
  const logged: unknown[] = [];
  const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => logged.push(fields), child: () => logger };
  const broken = new FakeFunction();
  broken.submit = () => {
    throw new Error("secret detail");
  };
  const { request } = await startGateway([broken], { logger });
  const response = await request("/endpoint/predict");
  const text = await response.text();
  expect([response.status, text.includes("secret")]).toEqual([500, false]);
  expect(logged).toHaveLength(1);
});
