import { createHash } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import type { AppRequest, FunctionOptions, LogLine } from "@samovar/protocol";
import { ADMIN_TOKEN, CONTAINER, DEPLOY_TOKEN, INVOKE_TOKEN, LINE } from "../fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "../gateway.fixture.ts";
import { APP, linesOf } from "./api.fixture.ts";
import { ROUTES } from "./routes.ts";

afterEach(disposeGateways);

const json = (value: unknown): RequestInit => ({ method: "POST", body: JSON.stringify(value), headers: { "content-type": "application/json" } });

const withOptions = (options: Partial<FunctionOptions>): AppRequest => ({
  ...APP,
  manifest: { ...APP.manifest, functions: APP.manifest.functions.map((one) => ({ ...one, options: { ...one.options, ...options } })) },
});

describe("who may", () => {
  test("every route asks for a token, and for its scope", async () => {
    const { request } = await startGateway([]);
    for (const route of ROUTES) {
      const path = `/api/v1${route.path.replace(/\{\w+\}/g, "x")}`;
      const method = route.method.toUpperCase();
      const none = await request(path, { method, headers: { authorization: "" } });
      expect([path, none.status, none.headers.get("www-authenticate"), none.headers.get("content-type")]).toEqual([
        path,
        401,
        "Bearer",
        "application/problem+json",
      ]);
      for (const [scope, token] of [["invoke", INVOKE_TOKEN] as const, ["deploy", DEPLOY_TOKEN] as const]) {
        const response = await request(path, { method, headers: { authorization: `Bearer ${token}` } });
        expect([path, scope, response.status === 403]).toEqual([path, scope, !route.scopes.includes(scope)]);
        await response.body?.cancel();
      }
    }
  });

  test.each(["localhost", "LOCALHOST:8700", "127.0.0.1:1", "[::1]:8700", "samovar.internal"])("the host %s is this server's", async (host) => {
    const { port } = await startGateway([], { hosts: ["samovar.internal"] });
    expect(
      await new RawClient(port).send(["GET /api/v1/server HTTP/1.1", `host: ${host}`, `authorization: Bearer ${ADMIN_TOKEN}`, "connection: close"]).closed(),
    ).toMatch(/^HTTP\/1.1 200 /);
  });

  test.each(["evil.example", "127.0.0.1.evil.example"])("the host %j is not: a page elsewhere can't reach the API through a name of its own", async (host) => {
    const { port } = await startGateway([]);
    const text = await new RawClient(port)
      .send(["GET /api/v1/server HTTP/1.1", `host: ${host}`, `authorization: Bearer ${ADMIN_TOKEN}`, "connection: close"])
      .closed();
    expect(text).toMatch(/^HTTP\/1.1 403 .*application\/problem\+json.*"code":"forbidden"/s);
  });
});

describe("routes", () => {
  test("server, functions and containers", async () => {
    const { request, control } = await startGateway([]);
    expect(await (await request("/api/v1/server")).json()).toEqual(control.server());
    expect(await (await request("/api/v1/functions")).json()).toEqual({ functions: control.functions() });
    expect(await (await request("/api/v1/containers?all=1")).json()).toEqual({ containers: [CONTAINER] });
    expect(await (await request("/api/v1/containers/ct_1")).json()).toEqual(CONTAINER);
    expect((await request("/api/v1/containers")).headers.get("content-type")).toBe("application/json");
    expect(control.asked).toEqual([
      ["containers", { all: true }],
      ["containers", { all: false }],
    ]);
  });

  test("stopping a container, forcefully or not, and the server", async () => {
    const { request, control } = await startGateway([]);
    for (const path of ["/api/v1/containers/ct_1/stop", "/api/v1/containers/ct_1/stop?force=1", "/api/v1/shutdown"])
      expect((await request(path, { method: "POST" })).status).toBe(202);
    expect((await request("/api/v1/shutdown", json({ reason: "interrupt" }))).status).toBe(202);
    expect(control.asked).toEqual([
      ["stopContainer", "ct_1", { force: false }],
      ["stopContainer", "ct_1", { force: true }],
      ["shutdown", "stop"],
      ["shutdown", "interrupt"],
    ]);
  });

  test.each(["/containers/ct_9", "/containers/ct_9/logs", "/nothing", "/containers/ct_1/nothing"])("GET %s is not found", async (path) => {
    const { request } = await startGateway([]);
    const response = await request(`/api/v1${path}`);
    expect([response.status, await response.json()]).toMatchObject([404, { code: "not_found", detail: expect.any(String) }]);
  });

  test("every path answers any other method with 405 and what is allowed, also where an id might stand for its last word", async () => {
    const { request } = await startGateway([]);
    for (const path of new Set(ROUTES.map((route) => route.path))) {
      const allow = ROUTES.filter((route) => route.path === path).flatMap(({ method }) => (method === "get" ? ["GET", "HEAD"] : [method.toUpperCase()]));
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((each) => !allow.includes(each))) {
        const response = await request(`/api/v1${path.replace(/\{\w+\}/g, "x")}`, { method });
        expect([method, path, response.status, response.headers.get("allow"), await response.json()]).toMatchObject([
          method,
          path,
          405,
          allow.join(", "),
          { code: "method_not_allowed", detail: `${method} is not served at /api/v1${path}: use ${allow.join(", ")}` },
        ]);
      }
    }
  });

  test("contents: which are missing, one sent, one that does not hash to its name, one too large", async () => {
    const { request, control } = await startGateway([], { maxBlobBytes: 1_000_000 });
    const content = Buffer.alloc(900_000, "content");
    const sha256 = createHash("sha256").update(content).digest("hex");
    const put = (name: string, body: Buffer): Promise<Response> => request(`/api/v1/blobs/${name}`, { method: "PUT", body });
    const missing = async (): Promise<unknown> => (await request("/api/v1/blobs/missing", json({ sha256: [sha256] }))).json();
    expect(await missing()).toEqual({ sha256: [sha256] });
    expect((await put(sha256, content)).status).toBe(204);
    expect(control.blobs.get(sha256)!.equals(content)).toBe(true);
    expect(await missing()).toEqual({ sha256: [] });
    expect((await put("a".repeat(64), content)).status).toBe(400);
    expect((await put("../../etc", content)).status).toBe(404);
    expect((await put("A".repeat(64), content)).status).toBe(400);
    const large = await put(sha256, Buffer.alloc(1_000_001));
    expect([large.status, await large.json()]).toMatchObject([413, { code: "payload_too_large", maxBytes: 1_000_000 }]);
  });

  test("a body of unknown length is held to the limit too", async () => {
    const { port } = await startGateway([], { maxBlobBytes: 10 });
    const client = new RawClient(port).send(
      [`PUT /api/v1/blobs/${"a".repeat(64)} HTTP/1.1`, "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`, "transfer-encoding: chunked"],
      "14\r\n12345678901234567890\r\n",
    );
    expect(await client.until(/\}/)).toMatch(/^HTTP\/1.1 413 /);
  });

  test("expect: 100-continue", async () => {
    const { port, control } = await startGateway([]);
    const sha256 = createHash("sha256").update("hi").digest("hex");
    const client = new RawClient(port).send([
      `PUT /api/v1/blobs/${sha256} HTTP/1.1`,
      "host: localhost",
      `authorization: Bearer ${ADMIN_TOKEN}`,
      "content-length: 2",
      "expect: 100-continue",
    ]);
    await client.until(/100 Continue/);
    await client.send("hi").until(/HTTP\/1.1 204/);
    expect(control.blobs.has(sha256)).toBe(true);
  });

  test("an app reaches the control plane as it was sent", async () => {
    const { request, control } = await startGateway([]);
    const response = await request("/api/v1/sessions/ss_1/app", { ...json({ ...APP, deployKey: "k" }), method: "PUT" });
    expect([response.status, await response.json()]).toEqual([200, { app: "app", functions: [] }]);
    expect(control.asked).toEqual([["putApp", "ss_1", { ...APP, deployKey: "k" }]]);
  });

  test.each(["/api/v1/sessions/ss_1/app", "/api/v1/deployments"])("folders of the machine are for admins only: %s", async (path) => {
    const { request, control } = await startGateway([]);
    const body = { ...APP, code: { ...APP.code, nodeModules: ["/project/node_modules"] } };
    const method = path.endsWith("/app") ? "PUT" : "POST";
    const headers = { "content-type": "application/json", authorization: `Bearer ${DEPLOY_TOKEN}` };
    const response = await request(path, { body: JSON.stringify(body), method, headers });
    expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden", detail: expect.stringContaining("/project/node_modules") }]);
    expect(control.asked).toEqual([]);
  });

  test.each([
    ["an unknown key", { ...APP, forcebuild: true }, /forcebuild/],
    ["an unknown key far inside", { ...APP, code: { ...APP.code, entyr: "x" } }, /code: .*entyr/],
    ["a path that leaves the folder", { ...APP, code: { ...APP.code, entry: "../../etc/passwd" } }, /code\.entry: must be relative/],
    [
      "a network that nobody could make",
      withOptions({ network: { mode: "isolated", allow: ["10.0.0.0/8", "https://example.com"] } }),
      /network\.allow\.1: https:\/\/example\.com is a URL/,
    ],
    ["a missing key", { code: APP.code }, /manifest: /],
  ])("an app with %s is refused, naming it", async (_, body, detail) => {
    const { request, control } = await startGateway([]);
    const response = await request("/api/v1/sessions/ss_1/app", { ...json(body), method: "PUT" });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { code: "invalid_request", detail: expect.stringMatching(detail), issues: [expect.any(Object)] },
    ]);
    expect(control.asked).toEqual([]);
  });

  test("bodies and queries that can't be read are problems", async () => {
    const { request } = await startGateway([]);
    expect(await (await request("/api/v1/sessions", { method: "POST", body: "{" })).json()).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await (await request("/api/v1/containers?al=1")).json()).toMatchObject({
      status: 400,
      code: "invalid_request",
      detail: expect.stringContaining('"al"'),
    });
    expect(await (await request("/api/v1/sessions/ss_1?drain=soon", { method: "DELETE" })).json()).toMatchObject({
      status: 400,
      detail: expect.stringContaining("drain"),
    });
    const large = await request("/api/v1/sessions", { method: "POST", body: Buffer.alloc(16 * 1024 * 1024 + 1, " ") });
    expect(await large.json()).toMatchObject({ status: 413, code: "payload_too_large" });
  });

  test("what the control plane throws that is not ours is internal, and its text stays here", async () => {
    const { request, control } = await startGateway([]);
    control.containers = () => Promise.reject(new Error("secret detail"));
    const text = await (await request("/api/v1/containers")).text();
    expect(JSON.parse(text)).toMatchObject({ status: 500, code: "internal" });
    expect(text).not.toContain("secret");
  });
});

describe("sessions", () => {
  const open = json({ kind: "run", label: "app.ts" });

  test("events come as they happen, `opened` first, and hanging up ends the session", async () => {
    const { request, control } = await startGateway([]);
    const abort = new AbortController();
    const closed = new Promise<void>((resolve) => (control.onHoldClosed = resolve));
    const response = await request("/api/v1/sessions", { ...open, signal: abort.signal });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/x-ndjson"]);
    const lines = linesOf(response);
    expect((await lines.next()).value).toEqual({ type: "opened", sessionId: "ss_1" });
    control.sessionListener!({ type: "progress", message: "building" });
    expect((await lines.next()).value).toEqual({ type: "progress", message: "building" });
    expect(control.closedHolds).toEqual([]);
    abort.abort();
    await closed;
    expect(control.closedHolds).toEqual(["ss_1"]);
  });

  test("DELETE ends it with a bound and a reason, and then its stream", async () => {
    const { request, control } = await startGateway([]);
    const lines = linesOf(await request("/api/v1/sessions", open));
    await lines.next();
    expect((await request("/api/v1/sessions/ss_1?drain=1.5&reason=reload", { method: "DELETE" })).status).toBe(204);
    expect((await lines.next()).done).toBe(true);
    expect((await request("/api/v1/sessions/ss_1", { method: "DELETE" })).status).toBe(204);
    expect(control.asked).toEqual([
      ["closeSession", "ss_1", "reload", 1_500],
      ["closeSession", "ss_1", "interrupt", 10_000],
    ]);
    expect((await request("/api/v1/sessions/ss_2", { method: "DELETE" })).status).toBe(404);
  });

  test("dispose ends the streams of events and logs at once, and waits for nobody who follows", async () => {
    const { request, gateway } = await startGateway([]);
    const session = await request("/api/v1/sessions", open);
    const logs = await request("/api/v1/logs?follow=1");
    await gateway.dispose({ graceMs: 60_000 });
    expect(await session.text()).toBe(`${JSON.stringify({ type: "opened", sessionId: "ss_1" })}\n`);
    expect(await logs.text()).toBe(`${JSON.stringify(LINE)}\n`);
  });

  test("an opening that fails is a problem, and none is opened while draining", async () => {
    const { request, control, gateway } = await startGateway([]);
    expect(await (await request("/api/v1/sessions", json({ kind: "watch", label: "x" }))).json()).toMatchObject({ status: 400 });
    gateway.drain();
    expect(await (await request("/api/v1/sessions", open)).json()).toMatchObject({ status: 503, code: "shutting_down" });
    expect(control.sessionListener).toBeNull();
  });

  test("a reader that is slow loses log lines, is told how many, and loses nothing else", async () => {
    const { request, control } = await startGateway([]);
    const response = await request("/api/v1/sessions", open);
    const text = "x".repeat(100_000);
    for (let i = 0; i < 200; i++) control.sessionListener!({ type: "log", line: { ...LINE, text } });
    for (let i = 0; i < 5; i++) control.sessionListener!({ type: "progress", message: `step ${i}` });
    const seen: { type: string; text?: string }[] = [];
    const told = /^(\d+) log lines were dropped here/;
    let ended = false;
    for await (const event of linesOf(response) as AsyncGenerator<{ type: string; line?: LogLine }>) {
      seen.push({ type: event.type, ...(event.line ? { text: event.line.text } : {}) });
      if (!ended && seen.some((entry) => told.test(entry.text ?? ""))) {
        ended = true;
        void request("/api/v1/sessions/ss_1", { method: "DELETE" });
      }
    }
    const dropped = seen.reduce((sum, entry) => sum + Number(told.exec(entry.text ?? "")?.[1] ?? 0), 0);
    const whole = seen.filter((entry) => entry.text === text).length;
    expect(dropped).toBeGreaterThan(0);
    expect(whole + dropped).toBe(200);
    expect(seen.filter((entry) => entry.type === "progress")).toHaveLength(5);
  });
});

describe("logs", () => {
  test("the last lines, then the end; with follow what comes, until the client leaves", async () => {
    const { request, control } = await startGateway([]);
    const last = await request("/api/v1/logs?tail=5&name=predict");
    expect([last.headers.get("content-type"), await last.text()]).toEqual(["application/x-ndjson", `${JSON.stringify(LINE)}\n`]);
    const abort = new AbortController();
    const stopped = new Promise<void>((resolve) => (control.onLogsStopped = resolve));
    const lines = linesOf(await request("/api/v1/containers/ct_1/logs?follow=1", { signal: abort.signal }));
    expect((await lines.next()).value).toEqual(LINE);
    control.logSink!.line({ ...LINE, text: "next" });
    expect((await lines.next()).value).toMatchObject({ text: "next" });
    abort.abort();
    await stopped;
    expect(control.asked).toEqual([
      ["logs", { name: "predict", containerId: null, tail: 5, follow: false }],
      ["logs", { name: null, containerId: "ct_1", tail: 100, follow: true }],
    ]);
  });

  test("of a name that nobody has, or a container that never was, there is no log", async () => {
    const { request, control } = await startGateway([]);
    for (const path of ["/api/v1/logs?name=hello", "/api/v1/logs?name=hello&follow=1"]) {
      const response = await request(path);
      const detail = `No function is named "hello", and no line of its log is left. Did you mean "hello-dev"?`;
      expect([response.status, await response.json()]).toMatchObject([404, { code: "not_found", detail }]);
    }
    expect((await request("/api/v1/containers/ct_2/logs")).status).toBe(404);
    expect((await request("/api/v1/logs?name=PREDICT")).status).toBe(200);
    expect(control.asked).toEqual([["logs", { name: "PREDICT", containerId: null, tail: 100, follow: false }]]);
  });

  test("follow with nothing yet answers at once; no lines at all is an empty answer", async () => {
    const { request, control } = await startGateway([]);
    control.logsRun = (query, sink) => void (query.follow || sink.end());
    expect((await request("/api/v1/logs?follow=true")).status).toBe(200);
    expect(await (await request("/api/v1/logs")).text()).toBe("");
  });
});
