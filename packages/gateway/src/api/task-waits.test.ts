import { afterEach, describe, expect, test } from "vitest";
import { SamovarError, encodeValue, type AnswerHead } from "@samovar/protocol";
import { hashToken } from "@samovar/kit";
import { createAuthenticator } from "../authenticator.ts";
import { ADMIN_TOKEN, JSON_HEAD, STARTED, TOKENS } from "../fakes.fixture.ts";
import type { FakeEnding } from "../fake-tasks.fixture.ts";
import { RawClient, WatchedClock, disposeGateways, startGateway } from "../gateway.fixture.ts";
import { linesOf } from "./api.fixture.ts";

afterEach(disposeGateways);

const VALUE = "application/vnd.samovar.value";
const SSE = { headers: { accept: "text/event-stream" } };

async function open(options: Parameters<typeof startGateway>[1] = {}) {
  const caller = { id: "to_c", hash: hashToken("caller"), name: "caller", scopes: ["invoke"], app: "app", expiresAtMs: null, createdAtMs: 0 } as const;
  const gateway = await startGateway([], { authenticator: createAuthenticator([...TOKENS, caller]), ...options });
  const { tasks } = gateway.control;
  tasks.add({ id: "tk_a" });
  const get = (path: string, init?: RequestInit) => gateway.request(`/api/v1/tasks${path}`, init);
  const raw = (path: string, ...headers: string[]) =>
    new RawClient(gateway.port).send([`GET /api/v1/tasks${path} HTTP/1.1`, "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`, ...headers]);
  return { ...gateway, tasks, get, raw };
}

const failed = (code: "handler_error" | "expired"): FakeEnding => ({
  failure: {
    error: new SamovarError(code, "It went wrong"),
    thrown: code === "handler_error" ? { name: "TypeError", message: "no", stack: "TypeError: no\n    at app.ts" } : null,
    containerId: "ct_1",
    attempt: 1,
    retryable: false,
  },
});

describe("waiting for a task", () => {
  test("ends when it is over, and not at other changes", async () => {
    const { get, tasks } = await open();
    let isAnswered = false;
    const answer = get("/tk_a?wait=30s").finally(() => (isAnswered = true));
    await tasks.until(() => tasks.listeners === 1);
    tasks.change("tk_a", "RUNNING");
    tasks.change("tk_a", "RETRY");
    await get("/tk_a");
    expect(isAnswered).toBe(false);
    tasks.end("tk_a", failed("expired"), { status: "EXPIRED" });
    const response = await answer;
    expect([response.status, await response.json()]).toMatchObject([200, { id: "tk_a", status: "EXPIRED" }]);
    expect(tasks.listeners).toBe(0);
  });

  test("ends in time, with what it is at", async () => {
    const clock = new WatchedClock();
    const { get, tasks } = await open({ clock });
    const answer = get("/tk_a?wait=30s");
    await tasks.until(() => tasks.listeners === 1);
    tasks.change("tk_a", "RUNNING");
    await clock.nextTimer();
    clock.advance(30_000);
    expect(await (await answer).json()).toMatchObject({ status: "RUNNING" });
    expect(tasks.listeners).toBe(0);
  });

  test("doesn't begin for one that is over", async () => {
    const { get, tasks } = await open();
    tasks.end("tk_a", failed("expired"));
    expect(await (await get("/tk_a?wait=30s")).json()).toMatchObject({ status: "ERROR" });
    expect(tasks.listeners).toBe(0);
  });

  test("sees an end that comes while the task is being read", async () => {
    const { get, tasks } = await open();
    const read = tasks.get.bind(tasks);
    tasks.get = async (id) => {
      const before = await read(id);
      tasks.get = read;
      tasks.change(id, "COMPLETE");
      return before;
    };
    expect(await (await get("/tk_a?wait=30s")).json()).toMatchObject({ status: "COMPLETE" });
  });

  test.each([
    ["/tk_a?wait=30s", []],
    ["/tk_a/result?wait=30s", []],
    ["/tk_a", ["accept: text/event-stream"]],
    ["/events", ["accept: text/event-stream"]],
    ["/events", []],
    ["/tk_a/logs?follow=1", []],
  ])("%s with %j leaves nothing behind when the client hangs up", async (path, headers) => {
    const clock = new WatchedClock();
    const { raw, tasks, gateway } = await open({ clock });
    const client = raw(path, ...headers);
    await tasks.until(() => tasks.listeners === 1);
    if (!path.includes("wait")) await client.until(/\r\n\r\n/);
    client.socket.destroy();
    await tasks.until(() => tasks.listeners === 0);
    await gateway.dispose({ graceMs: 0 });
    expect(clock.pending).toBe(0);
  });

  test.each([["/tk_a?wait=30s"], ["/tk_a/result?wait=30s"]])("%s ends when the server stops", async (path) => {
    const { get, gateway, tasks } = await open();
    const answer = get(path);
    await tasks.until(() => tasks.listeners === 1);
    const disposed = gateway.dispose({ graceMs: 30_000 });
    expect(await (await answer).json()).toMatchObject({ id: "tk_a", status: "PENDING" });
    await disposed;
    expect(tasks.listeners).toBe(0);
  });
});

describe("following a task", () => {
  const event = (status: string): RegExp => new RegExp(`event: status\\ndata: \\{"id":"tk_a",[^\\n]*"status":"${status}"[^\\n]*\\}\\n\\n`);

  test("tells what it is, each change, and the end", async () => {
    const { get, tasks } = await open();
    const response = await get("/tk_a", SSE);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
    tasks.change("tk_a", "RUNNING");
    tasks.end("tk_a", failed("handler_error"), { error: { name: "TypeError", message: "no" } });
    const text = await response.text();
    for (const status of ["PENDING", "RUNNING", "ERROR"]) expect(text).toMatch(event(status));
    expect(text.match(/event: status/g)).toHaveLength(3);
    // An event without data is none: a page's EventSource would not be told.
    expect(text).toMatch(/event: end\ndata: \{"id":"tk_a","status":"ERROR"\}\n\n$/);
    expect(tasks.listeners).toBe(0);
  });

  test("of one that is over tells that, and ends", async () => {
    const { get, tasks } = await open();
    tasks.end("tk_a", failed("handler_error"), { error: { name: "TypeError", message: "no" }, endedAtMs: 9 });
    const text = await (await get("/tk_a", SSE)).text();
    expect(JSON.parse(/data: (.*)/.exec(text)![1]!)).toEqual({
      id: "tk_a",
      function: "predict",
      app: "app",
      status: "ERROR",
      attempt: 0,
      atMs: 9,
      error: { name: "TypeError", message: "no" },
    });
    expect(tasks.listeners).toBe(0);
  });

  test("misses and repeats nothing that comes while the task is being read", async () => {
    const { get, tasks } = await open();
    const read = tasks.get.bind(tasks);
    tasks.get = async (id) => {
      tasks.change(id, "RUNNING");
      const seen = await read(id);
      tasks.change(id, "COMPLETE");
      return seen;
    };
    const text = await (await get("/tk_a", SSE)).text();
    expect([...text.matchAll(/event: status\n.*"status":"(\w+)"/g)].map(([, status]) => status)).toEqual(["RUNNING", "COMPLETE"]);
  });

  test("is kept awake by comments", async () => {
    const clock = new WatchedClock();
    const { raw, tasks } = await open({ clock });
    const client = raw("/tk_a", "accept: text/event-stream");
    await client.until(/PENDING/);
    for (let beats = 1; beats <= 2; beats++) {
      clock.advance(15_000);
      expect(await client.until(new RegExp(`(\r\n:\n\n[^]*){${beats}}`))).not.toContain("event: end");
    }
    tasks.change("tk_a", "COMPLETE");
    await client.until(/event: end/);
    client.socket.destroy();
  });

  test("by HEAD has a head only", async () => {
    const { get, tasks } = await open();
    const response = await get("/tk_a", { ...SSE, method: "HEAD" });
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([200, "text/event-stream", ""]);
    await tasks.until(() => tasks.listeners === 0);
  });
});

describe("following all tasks", () => {
  test.each([
    ["/events", "b c d"],
    ["/events?function=train", "b d"],
    ["/events?app=app", "b c"],
    ["/events?function=train&app=app", "b"],
  ])("%s tells their changes", async (path, expected) => {
    const { get, tasks, gateway } = await open();
    tasks.add({ id: "b", function: "train" });
    tasks.add({ id: "c" });
    tasks.add({ id: "d", function: "train", app: "other" });
    const response = await get(path);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    for (const id of ["b", "c", "d"]) tasks.change(id, "RUNNING");
    const disposed = gateway.dispose({ graceMs: 30_000 });
    const changes = (await Array.fromAsync(linesOf(response))) as { id: string; status: string }[];
    expect(changes.map(({ id, status }) => [id, status])).toEqual(expected.split(" ").map((id) => [id, "RUNNING"]));
    await disposed;
  });

  test("as events, and to a token of one app of that app only", async () => {
    const { get, tasks, gateway } = await open();
    tasks.add({ id: "d", app: "other" });
    const response = await get("/events", { headers: { ...SSE.headers, authorization: "Bearer caller" } });
    for (const id of ["d", "tk_a"]) tasks.change(id, "RUNNING");
    const disposed = gateway.dispose({ graceMs: 30_000 });
    const text = await response.text();
    expect(text).toMatch(/^event: status\ndata: \{"id":"tk_a"/);
    expect(text).not.toContain('"d"');
    await disposed;
    expect((await open().then(({ request }) => request("/api/v1/tasks/events?app=other", { headers: { authorization: "Bearer caller" } }))).status).toBe(403);
  });

  test("cuts a reader that is far behind", async () => {
    const { raw, tasks } = await open();
    tasks.add({ id: "big", function: "x".repeat(60_000) });
    const client = raw("/events");
    await client.until(/\r\n\r\n/);
    client.socket.pause();
    let sent = 0;
    while (tasks.listeners > 0 && sent < 1_000) {
      for (let i = 0; i < 50; i++, sent++) tasks.change("big", "RUNNING");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(tasks.listeners).toBe(0);
    client.socket.destroy();
  });
});

describe("a task's result", () => {
  const PNG: AnswerHead = {
    status: 206,
    headers: [
      ["content-type", "image/png"],
      ["x-mine", "1"],
      ["set-cookie", "a=1"],
    ],
  };

  test("is what its call would have been answered, without its cookies", async () => {
    const { get, tasks } = await open();
    tasks.start("tk_a", { ...STARTED, version: 3 });
    tasks.end("tk_a", { head: PNG, body: Buffer.from([0, 255, 10]) });
    const response = await get("/tk_a/result");
    expect([response.status, Buffer.from(await response.arrayBuffer())]).toEqual([206, Buffer.from([0, 255, 10])]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "image/png",
      "x-mine": "1",
      "x-content-type-options": "nosniff",
      "x-samovar-task-id": "tk_a",
      "x-samovar-container-id": "ct_1",
      "x-samovar-version": "3",
    });
    expect(response.headers.get("set-cookie")).toBeNull();
  });

  test("of a page is in a sandbox: it is served where the API is", async () => {
    const { get, tasks } = await open();
    tasks.end("tk_a", { head: { status: 200, headers: [["content-type", "text/html"]] }, body: Buffer.from("<p>") });
    expect((await get("/tk_a/result")).headers.get("content-security-policy")).toContain("sandbox");
  });

  test("of a stream is the stream", async () => {
    const { get, tasks } = await open();
    tasks.end("tk_a", {
      head: { status: 200, headers: [["content-type", "application/x-ndjson"]], items: true },
      chunks: [Buffer.from("1\n"), Buffer.from("2\n")],
    });
    expect(await (await get("/tk_a/result", { headers: { authorization: "Bearer caller" } })).text()).toBe("1\n2\n");
  });

  test.each([[""], ["?wait=0"]])("%j is told with 202 while it isn't over", async (query) => {
    const { get, tasks } = await open();
    const response = await get(`/tk_a/result${query}`);
    expect([response.status, response.headers.get("retry-after"), await response.json()]).toMatchObject([202, "0", { id: "tk_a", status: "PENDING" }]);
    expect(tasks.listeners).toBe(0);
  });

  test("is waited for, and 202 when it isn't over in time", async () => {
    const clock = new WatchedClock();
    const { get, tasks } = await open({ clock });
    const late = get("/tk_a/result?wait=30s");
    await tasks.until(() => tasks.listeners === 1);
    clock.advance(30_000);
    expect((await late).status).toBe(202);
    const answer = get("/tk_a/result?wait=30s");
    await tasks.until(() => tasks.listeners === 1);
    tasks.end("tk_a", { head: JSON_HEAD, body: Buffer.from("[1]") });
    const response = await answer;
    expect([response.status, await response.json(), tasks.listeners]).toEqual([200, [1], 0]);
  });

  const value: FakeEnding = { head: { status: 200, headers: [["content-type", VALUE]] }, body: encodeValue({ at: new Date(0) }) };

  test("that is a value is JSON to whoever asks for that, and a value to handles", async () => {
    const { get, tasks } = await open();
    tasks.end("tk_a", value, { result: { at: "1970-01-01T00:00:00.000Z" } });
    const asJson = await get("/tk_a/result", { headers: { accept: "application/json" } });
    expect([asJson.headers.get("content-type"), await asJson.json()]).toEqual(["application/json", { at: "1970-01-01T00:00:00.000Z" }]);
    const asValue = await get("/tk_a/result", { headers: { accept: VALUE } });
    expect(asValue.headers.get("content-type")).toBe(VALUE);
    expect(Buffer.from(await asValue.arrayBuffer())).toEqual(encodeValue({ at: new Date(0) }));
  });

  test("that is undefined is 204, and one that JSON can't show stays a value", async () => {
    const { get, tasks } = await open();
    const head: AnswerHead = { status: 200, headers: [["content-type", VALUE]] };
    tasks.end("tk_a", { head, body: encodeValue(undefined) });
    expect((await get("/tk_a/result")).status).toBe(204);
    tasks.add({ id: "tk_large" });
    tasks.end("tk_large", value);
    expect((await get("/tk_large/result")).headers.get("content-type")).toBe(VALUE);
  });

  test.each([
    ["handler_error", 500, VALUE],
    ["handler_error", 500, "application/json"],
    ["expired", 410, VALUE],
  ] as const)("that is the failure %s is a problem with %i, accept: %s", async (code, status, accept) => {
    const { get, tasks } = await open();
    tasks.end("tk_a", failed(code));
    const response = await get("/tk_a/result", { headers: { accept, authorization: "Bearer caller" } });
    expect([response.status, response.headers.get("content-type")]).toEqual([status, "application/problem+json"]);
    const problem = (await response.json()) as Record<string, unknown>;
    expect(problem).toMatchObject({ code, detail: "It went wrong" });
    expect(problem["error"]).toEqual(code === "handler_error" ? { name: "TypeError", message: "no" } : undefined);
  });
});
