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

  test("dispose waits for an answer that its client has yet to take in", async () => {
    const body = Buffer.alloc(32 * 1024 * 1024, "x");
    const large = new FakeFunction({ name: "large", run: ({ sink }) => sink.result(JSON_HEAD, body) });
    const { port, gateway } = await startGateway([large]);
    const client = new RawClient(port).send(get("/endpoint/large"));
    client.socket.pause();
    await large.until(() => large.calls.length === 1);
    const idle = new RawClient(port).send(get("/livez"));
    await idle.until(/\}/);
    const disposing = gateway.dispose({ graceMs: 600_000 });
    client.socket.resume();
    expect((await client.closed()).split("\r\n\r\n")[1]).toHaveLength(body.length);
    await idle.closed();
    await disposing;
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

describe("what is no path", () => {
  test("is a problem", async () => {
    const { port } = await startGateway([]);
    for (const line of ["GET nowhere HTTP/1.1", "OPTIONS * HTTP/1.1"])
      expect(await new RawClient(port).send([line, "host: localhost", "connection: close"]).closed()).toMatch(/^HTTP\/1.1 400 .*"invalid_request"/s);
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
