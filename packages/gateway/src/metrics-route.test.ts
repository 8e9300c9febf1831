import { networkInterfaces } from "node:os";
import { afterEach, describe, expect, test } from "vitest";
import { hashToken } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { createAuthenticator } from "./authenticator.ts";
import { ADMIN_TOKEN, DEPLOY_TOKEN, FakeFunction, INVOKE_TOKEN, JSON_HEAD, STARTED, failWith } from "./fakes.fixture.ts";
import { RawClient, WatchedClock, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const metrics = async () => ({ contentType: "text/plain; version=0.0.4", body: "samovar_up 1\n" });
const NONE = { authorization: "" };

describe("/metrics", () => {
  test("are told to this machine without a token", async () => {
    const { request } = await startGateway([], { metrics });
    const response = await request("/metrics", { headers: NONE });
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([200, "text/plain; version=0.0.4", "samovar_up 1\n"]);
    expect((await request("/metrics", { method: "HEAD", headers: NONE })).headers.get("content-length")).toBe("13");
    expect((await request("/metrics", { method: "POST", headers: NONE })).headers.get("allow")).toBe("GET, HEAD");
  });

  test.each([
    ["a proxy of this machine", ["host: localhost", "x-forwarded-for: 203.0.113.9"]],
    ["a proxy that says who it is", ["host: 127.0.0.1", "via: 1.1 proxy"]],
    ["another name of the server", ["host: samovar.example"]],
    ["another address of the server", ["host: 192.168.1.7"]],
  ])("need a token by %s", async (_, headers) => {
    const { port } = await startGateway([], { metrics, hosts: ["samovar.example"] });
    const ask = (...more: readonly string[]): Promise<string> =>
      new RawClient(port).send(["GET /metrics HTTP/1.1", ...headers, ...more, "connection: close"]).closed();
    expect(await ask()).toMatch(/^HTTP\/1.1 401 /);
    expect(await ask("authorization: Bearer wrong")).toMatch(/^HTTP\/1.1 401 /);
    expect(await ask(`authorization: Bearer ${DEPLOY_TOKEN}`)).toMatch(/^HTTP\/1.1 403 /);
    for (const token of [ADMIN_TOKEN, INVOKE_TOKEN]) expect(await ask(`authorization: Bearer ${token}`)).toMatch(/^HTTP\/1.1 200 /);
  });

  const elsewhere = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4")?.address;

  // Needs an address besides loopback, as nearly every machine has one.
  test.skipIf(elsewhere === undefined).each([
    ["this address alone", elsewhere!],
    ["all addresses", "0.0.0.0"],
  ])("need a token by an address that others reach, whatever the request calls the server: on a server that listens at %s", async (_, listensAt) => {
    const { port } = await startGateway([], { metrics }, listensAt);
    const ask = (address: string, host: string, ...more: readonly string[]): Promise<string> =>
      new RawClient(port, address).send(["GET /metrics HTTP/1.1", `host: ${host}`, ...more, "connection: close"]).closed();
    for (const host of ["localhost", "127.0.0.1", elsewhere!]) {
      expect(await ask(elsewhere!, host)).toMatch(/^HTTP\/1.1 401 /);
      expect(await ask(elsewhere!, host, `authorization: Bearer ${INVOKE_TOKEN}`)).toMatch(/^HTTP\/1.1 200 /);
    }
    if (listensAt === "0.0.0.0") expect(await ask("127.0.0.1", "localhost")).toMatch(/^HTTP\/1.1 200 /);
  });

  test("are of all apps, and so not for a token of one", async () => {
    const token = { id: "to_app", hash: hashToken("app"), name: "app", scopes: ["invoke"], app: "app", expiresAtMs: null, createdAtMs: 0 } as const;
    const { request } = await startGateway([], { metrics, authenticator: createAuthenticator([token]) });
    expect((await request("/metrics", { headers: { authorization: "Bearer app" } })).status).toBe(403);
  });

  test("that can't be told are an internal problem; without any there is nothing there", async () => {
    const failing = await startGateway([], { metrics: () => Promise.reject(new Error("secret")) });
    const response = await failing.request("/metrics", { headers: NONE });
    const text = await response.text();
    expect([response.status, text.includes("secret")]).toEqual([500, false]);
    expect((await (await startGateway([])).request("/metrics")).status).toBe(404);
  });
});

describe("onCallEnded", () => {
  type Ended = [name: string, status: number, durationMs: number];
  const start = async (functions: readonly FakeFunction[], options: Parameters<typeof startGateway>[1] = {}) => {
    const ended: Ended[] = [];
    let wake = (): void => {};
    const started = await startGateway(functions, {
      ...options,
      onCallEnded: (entry, status, durationMs) => {
        ended.push([entry.name, status, durationMs]);
        wake();
      },
    });
    /** Resolves when so many have ended. */
    const until = async (count: number): Promise<Ended[]> => {
      while (ended.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return ended;
    };
    return { ...started, ended, until };
  };

  test("is told of answers, problems of the pool and refused bodies, once each, with how long they took", async () => {
    const clock = new WatchedClock();
    const good = new FakeFunction({
      name: "good",
      run: ({ sink }) => {
        clock.advance(250);
        sink.started(STARTED);
        sink.result({ ...JSON_HEAD, status: 201 }, Buffer.from("1"));
        sink.result(JSON_HEAD, Buffer.from("late"));
      },
    });
    const bad = new FakeFunction({ name: "bad", run: failWith(new SamovarError("stopped", "It was stopped")) });
    const { request, until } = await start([good, bad], { clock, maxBodyBytes: 3 });
    for (const name of ["good", "bad"]) await (await request(`/endpoint/${name}`)).text();
    await (await request("/endpoint/good", { method: "POST", body: "12345" })).text();
    await (await request("/endpoint/good", { method: "POST", body: "1", headers: { "content-type": "application/json", "content-encoding": "gzip" } })).text();
    expect(await until(4)).toEqual([
      ["good", 201, 250],
      ["bad", 503, 0],
      ["good", 413, 0],
      ["good", 400, 0],
    ]);
  });

  test("is told of a stream at its end: the status, or that of what broke it off", async () => {
    const fn = new FakeFunction({ run: ({ sink }) => sink.head({ status: 206, headers: [], items: true }) });
    const { request, ended, until } = await start([fn]);
    const whole = await request("/endpoint/predict");
    expect(ended).toEqual([]);
    fn.calls[0]!.sink.end();
    await whole.text();
    const broken = await request("/endpoint/predict");
    fn.calls[1]!.sink.error({ error: new SamovarError("container_lost", "It was lost"), thrown: null, containerId: null, attempt: 1, retryable: false });
    await broken.text();
    expect((await until(2)).map(([, status]) => status)).toEqual([206, 502]);
  });

  test("is told 499 when the caller leaves", async () => {
    const fn = new FakeFunction({ run: ({ sink }) => sink.started(STARTED) });
    const { port, until } = await start([fn]);
    const client = new RawClient(port).send(["GET /endpoint/predict HTTP/1.1", "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`]);
    await fn.until(() => fn.calls.length === 1);
    client.socket.destroy();
    expect((await until(1)).map(([, status]) => status)).toEqual([499]);
  });

  test("is told nothing of who was not let in", async () => {
    const { request, ended } = await start([new FakeFunction()]);
    for (const [path, init] of [
      ["/endpoint/predict", { headers: NONE }],
      ["/endpoint/predict", { method: "DELETE" }],
      ["/endpoint/nobody", {}],
      ["/livez", {}],
    ] as const) {
      await (await request(path, init)).text();
    }
    expect(ended).toEqual([]);
  });
});
