import { afterEach, describe, expect, test } from "vitest";
import { ERROR_CATALOGUE, SamovarError, decodeValue, encodeValue } from "@samovar/protocol";
import { FakeClock } from "@samovar/kit";
import { ADMIN_TOKEN, DEPLOY_TOKEN, FakeFunction, JSON_HEAD, STARTED } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

const MIB = 1024 * 1024;

const post = (body: string | Buffer, headers: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  body: body as string,
  headers: { "content-type": "application/json", ...headers },
});

const jobs = (): FakeFunction => new FakeFunction({ kind: "taskqueue", name: "jobs" });
const work = (): FakeFunction => new FakeFunction({ kind: "function", name: "work" });
const predict = (): FakeFunction => new FakeFunction({ name: "predict" });

async function problemOf(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return { status: response.status, ...((await response.json()) as Record<string, unknown>) };
}

describe("a queued call", () => {
  test.each([
    ["/taskqueue/jobs", {}],
    ["/taskqueue/jobs@1", {}],
    ["/taskqueue/id/fn_jobs_1", {}],
    ["/function/work", {}],
    ["/function/work", { prefer: "respond-async" }],
    ["/endpoint/predict", { prefer: "respond-async" }],
    ["/cls/model/run?with=[1]", { prefer: "respond-async" }],
  ])("POST %s with %j is answered with its task's id when that is on disk", async (path, headers: Record<string, string>) => {
    const model = new FakeFunction({ kind: "cls", name: "model", methods: { run: {} } });
    const functions = [jobs(), work(), predict(), model];
    const { request, control } = await startGateway(functions);
    const disk = Promise.withResolvers<void>();
    control.tasks.disk = disk.promise;
    let isAnswered = false;
    const answer = request(path, post('{"n":1}', headers)).finally(() => (isAnswered = true));
    await control.tasks.until(() => control.tasks.all.size === 1);
    expect(isAnswered).toBe(false);
    disk.resolve();
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([202, { taskId: "tk_1" }]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json",
      location: "/api/v1/tasks/tk_1",
      "x-samovar-task-id": "tk_1",
      ...(headers["prefer"] ? { "preference-applied": "respond-async" } : {}),
    });
    const { input, parameters, detail } = control.tasks.all.get("tk_1")!;
    expect(input).toMatchObject({
      encoding: "json",
      reply: "http",
      stream: "ndjson",
      body: Buffer.from('{"n":1}'),
      delayMs: 0,
      ttlMs: null,
      idempotencyKey: null,
    });
    expect([parameters, input.method]).toEqual(detail.function === "model" ? [[1], "run"] : [[], null]);
    expect(functions.flatMap((fn) => fn.calls)).toEqual([]);
  });

  test("by GET is queued with its query, by HEAD without a body in the answer", async () => {
    const { request, control } = await startGateway([predict()]);
    const headers = { prefer: "respond-async" };
    expect(await (await request("/endpoint/predict?a=1", { headers })).json()).toEqual({ taskId: "tk_1" });
    const head = await request("/endpoint/predict?a=1", { method: "HEAD", headers });
    expect([head.status, head.headers.get("location"), await head.text()]).toEqual([202, "/api/v1/tasks/tk_2", ""]);
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({ encoding: "query", body: Buffer.from('{"a":"1"}') });
  });

  test("of another content type keeps its request, without the caller's token", async () => {
    const { request, control } = await startGateway([jobs()]);
    await request("/taskqueue/jobs", { method: "POST", body: "a,b", headers: { "content-type": "text/csv", "x-mine": "1" } });
    const { input } = control.tasks.all.get("tk_1")!;
    expect(input).toMatchObject({ encoding: "raw", body: Buffer.from("a,b"), request: { method: "POST" } });
    const names = input.request!.headers.map(([name]) => name);
    expect(names).toContain("x-mine");
    expect(names).not.toContain("authorization");
  });

  test.each([
    ["/taskqueue/jobs", {}],
    ["/function/work", { "content-type": "application/x-www-form-urlencoded" }],
    ["/endpoint/predict", { prefer: "respond-async" }],
    ["/endpoint/predict", { "idempotency-key": "k" }],
  ])("to %s with %j whose body is not JSON is refused before it is queued", async (path, headers: Record<string, string>) => {
    const { request, control } = await startGateway([jobs(), work(), predict()]);
    expect(await problemOf(await request(path, post("{bad", headers)))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(control.tasks.all.size).toBe(0);
  });

  test("is read up to a MiB, more by its worker alone", async () => {
    const { request } = await startGateway([jobs()]);
    expect(await problemOf(await request("/taskqueue/jobs", post(`[${" ".repeat(MIB - 1)}`)))).toMatchObject({ status: 400, code: "invalid_json" });
    expect((await request("/taskqueue/jobs", post(`[${" ".repeat(MIB)}`))).status).toBe(202);
  });

  test("without a body has no input", async () => {
    const { request, control } = await startGateway([jobs()]);
    await request("/taskqueue/jobs", { method: "POST" });
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({ encoding: "none", body: null });
  });

  test("says of its task what its headers say", async () => {
    const { request, control } = await startGateway([jobs()]);
    const headers = {
      "x-samovar-delay": "5m",
      "x-samovar-priority": "-30",
      "x-samovar-ttl": "1.5",
      "x-samovar-concurrency-key": "tenant 7",
      "idempotency-key": "order-1",
    };
    expect((await request("/taskqueue/jobs", post("1", headers))).status).toBe(202);
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({
      delayMs: 300_000,
      priorityMs: -30_000,
      ttlMs: 1_500,
      concurrencyKey: "tenant 7",
      idempotencyKey: "order-1",
    });
  });

  test.each([
    ["x-samovar-delay", "soon"],
    ["x-samovar-delay", "-1"],
    ["x-samovar-delay", "9000h"],
    ["x-samovar-priority", "high"],
    ["x-samovar-ttl", "0"],
    ["x-samovar-concurrency-key", ""],
    ["x-samovar-concurrency-key", "k".repeat(256)],
    ["idempotency-key", ""],
    ["idempotency-key", "k".repeat(256)],
    ["idempotency-key", "schlüssel"],
    ["idempotency-key", "a\tb"],
  ])("with the header %s: %s is refused by its name", async (name, value) => {
    const { port, control } = await startGateway([jobs()]);
    const client = new RawClient(port).send(
      [
        "POST /taskqueue/jobs HTTP/1.1",
        "host: localhost",
        `authorization: Bearer ${ADMIN_TOKEN}`,
        "connection: close",
        `${name}: ${value}`,
        "content-length: 1",
      ],
      "1",
    );
    const answer = await client.closed();
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain(`The header ${name} has`);
    expect(control.tasks.all.size).toBe(0);
  });

  test("alone may have such headers", async () => {
    const { request } = await startGateway([predict(), work()]);
    for (const [path, headers] of [
      ["/endpoint/predict", {}],
      ["/function/work", { prefer: "wait" }],
    ] as const) {
      for (const name of ["x-samovar-delay", "x-samovar-priority", "x-samovar-ttl", "x-samovar-concurrency-key"]) {
        const answer = await problemOf(await request(path, post("1", { ...headers, [name]: "1" })));
        expect(answer).toMatchObject({ status: 400, code: "invalid_request", detail: expect.stringContaining(name) });
      }
    }
  });

  test.each(["too_many_pending", "stopped", "storage_failed"] as const)("that is not taken is refused with %s", async (code) => {
    const { request, control } = await startGateway([jobs()]);
    control.tasks.refusal = new SamovarError(code, "It is not taken");
    expect(await problemOf(await request("/taskqueue/jobs", post("1")))).toMatchObject({ status: ERROR_CATALOGUE[code].status, code });
  });

  test("that names a version or an id is for that version alone", async () => {
    const { request, control } = await startGateway([jobs()]);
    for (const path of ["/taskqueue/jobs", "/taskqueue/jobs@1", "/taskqueue/id/fn_jobs_1"]) await request(path, post("1"));
    expect([...control.tasks.all.values()].map(({ input }) => input.pinned)).toEqual([false, true, true]);
  });

  test("of a caller without a token says so, and may not say who goes first or for how long", async () => {
    const open = new FakeFunction({ kind: "taskqueue", name: "open", options: { authorized: false } });
    const { request, control } = await startGateway([open]);
    const stranger = (headers: Record<string, string>): RequestInit => post("1", { authorization: "", ...headers });
    expect((await request("/taskqueue/open", stranger({ "idempotency-key": "k" }))).status).toBe(202);
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({ anonymous: true, idempotencyKey: "k" });
    for (const header of ["x-samovar-delay", "x-samovar-priority", "x-samovar-ttl", "x-samovar-concurrency-key"])
      expect(await problemOf(await request("/taskqueue/open", stranger({ [header]: "1" })))).toMatchObject({ status: 401, code: "unauthorized" });
    expect((await request("/taskqueue/open", post("1", { "x-samovar-delay": "1" }))).status).toBe(202);
    expect(control.tasks.all.get("tk_2")!.input).toMatchObject({ anonymous: false, delayMs: 1_000 });
  });

  test("needs the scope invoke, unless the function is public", async () => {
    const open = new FakeFunction({ kind: "taskqueue", name: "open", options: { authorized: false } });
    const { request } = await startGateway([jobs(), open]);
    expect((await request("/taskqueue/jobs", post("1", { authorization: "" }))).status).toBe(401);
    expect((await request("/taskqueue/jobs", post("1", { authorization: `Bearer ${DEPLOY_TOKEN}` }))).status).toBe(403);
    expect((await request("/taskqueue/open", post("1", { authorization: "" }))).status).toBe(202);
    expect((await request("/api/v1/tasks/tk_1", { headers: { authorization: "" } })).status).toBe(401);
  });

  test("whose caller leaves while it is written is kept", async () => {
    const ended: number[] = [];
    const over = Promise.withResolvers<void>();
    const { port, control } = await startGateway([jobs()], {
      onCallEnded: (_entry, status) => {
        ended.push(status);
        over.resolve();
      },
    });
    const disk = Promise.withResolvers<void>();
    control.tasks.disk = disk.promise;
    const client = new RawClient(port).send(
      ["POST /taskqueue/jobs HTTP/1.1", "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`, "content-length: 1"],
      "1",
    );
    await control.tasks.until(() => control.tasks.all.size === 1);
    client.socket.destroy();
    await client.closed();
    // Told by the socket's end on this side, which is behind the other's.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    disk.resolve();
    await over.promise;
    expect(ended).toHaveLength(1);
    expect(control.tasks.all.size).toBe(1);
  });
});

describe("a body that is to be queued", () => {
  test("is taken whole, however it comes", async () => {
    const { request, control } = await startGateway([jobs()]);
    const large = Buffer.alloc(3 * MIB, "x");
    for (const type of ["application/json", "application/octet-stream"]) {
      expect((await request("/taskqueue/jobs", post(large, { "content-type": type }))).status).toBe(202);
      const chunked = { ...post("", { "content-type": type }), body: new Blob([large]).stream(), duplex: "half" } as const;
      expect((await request("/taskqueue/jobs", chunked)).status).toBe(202);
    }
    const inputs = [...control.tasks.all.values()].map(({ input }) => [input.encoding, input.body!.equals(large)]);
    expect(inputs).toEqual([
      ["json", true],
      ["json", true],
      ["raw", true],
      ["raw", true],
    ]);
  });

  test("may have 16 MiB, or what the server's limit is", async () => {
    const { request, control } = await startGateway([jobs(), predict()]);
    const tooMuch = Buffer.alloc(16 * MIB + 1, "1");
    const expected = { status: 413, code: "payload_too_large", maxBytes: 16 * MIB };
    expect(await problemOf(await request("/taskqueue/jobs", post(tooMuch)))).toMatchObject(expected);
    expect(await problemOf(await request("/endpoint/predict", post(tooMuch, { "idempotency-key": "a" })))).toMatchObject(expected);
    const chunked = { ...post(""), body: new Blob([tooMuch]).stream(), duplex: "half" } as const;
    expect(await problemOf(await request("/taskqueue/jobs", chunked))).toMatchObject(expected);
    expect(control.tasks.all.size).toBe(0);
    const small = await startGateway([jobs()], { maxBodyBytes: 10 });
    expect(await problemOf(await small.request("/taskqueue/jobs", post("12345678901")))).toMatchObject({ status: 413, maxBytes: 10 });
  });

  test("is not asked for where its headers are refused", async () => {
    const { port } = await startGateway([jobs()]);
    const head = ["POST /taskqueue/jobs HTTP/1.1", "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`, "expect: 100-continue", "content-length: 1"];
    expect(await new RawClient(port).send([...head, "x-samovar-delay: x"]).closed()).toMatch(/^HTTP\/1.1 400 /);
    const client = new RawClient(port).send(head);
    await client.until(/^HTTP\/1.1 100 /);
    expect(await client.send("1").until(/taskId/)).toContain("HTTP/1.1 202 ");
    client.socket.destroy();
  });
});

describe("a queued call that is waited for", () => {
  const WAIT = { prefer: "wait=30" };

  test("is answered as if it were called directly", async () => {
    const { request, control } = await startGateway([jobs()]);
    const answer = request("/taskqueue/jobs", post("1", WAIT));
    await control.tasks.until(() => control.tasks.listeners === 1);
    control.tasks.start("tk_1", { ...STARTED, version: 7 });
    control.tasks.end("tk_1", { head: { status: 201, headers: [["content-type", "text/plain"]] }, body: Buffer.from("done") });
    const response = await answer;
    expect([response.status, await response.text()]).toEqual([201, "done"]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/plain",
      "preference-applied": "wait=30",
      "x-samovar-task-id": "tk_1",
      "x-samovar-container-id": "ct_1",
      "x-samovar-version": "7",
    });
  });

  test("and isn't over by then is answered with its task, which goes on", async () => {
    const clock = new FakeClock();
    const { request, control } = await startGateway([jobs()], { clock });
    const answer = request("/taskqueue/jobs", post("1", WAIT));
    await control.tasks.until(() => control.tasks.listeners === 1);
    clock.advance(30_000);
    const response = await answer;
    expect([response.status, await response.json()]).toEqual([202, { taskId: "tk_1" }]);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      location: "/api/v1/tasks/tk_1",
      "preference-applied": "wait=30",
      "x-samovar-task-id": "tk_1",
    });
    expect(response.headers.get("x-samovar-version")).toBeNull();
    expect([control.tasks.listeners, control.asked]).toEqual([0, []]);
  });

  test.each([
    ["cancelled", 499],
    ["expired", 410],
    ["handler_error", 500],
  ] as const)("and ends as %s is answered so", async (code, status) => {
    const { request, control } = await startGateway([jobs()]);
    const answer = request("/taskqueue/jobs", post("1", WAIT));
    await control.tasks.until(() => control.tasks.listeners === 1);
    const thrown = code === "handler_error" ? { name: "TypeError", message: "no" } : null;
    control.tasks.end("tk_1", { failure: { error: new SamovarError(code, "It is over"), thrown, containerId: null, attempt: 1, retryable: false } });
    expect(await problemOf(await answer)).toMatchObject({ status, code, ...(thrown ? { error: thrown } : {}) });
  });

  test("leaves nothing behind when its caller hangs up, and goes on", async () => {
    const { port, control } = await startGateway([jobs()]);
    const client = new RawClient(port).send(
      ["POST /taskqueue/jobs HTTP/1.1", "host: localhost", `authorization: Bearer ${ADMIN_TOKEN}`, "prefer: wait=30", "content-length: 1"],
      "1",
    );
    await control.tasks.until(() => control.tasks.listeners === 1);
    client.socket.destroy();
    await control.tasks.until(() => control.tasks.listeners === 0);
    expect(control.asked).toEqual([]);
  });

  test("is answered when the server stops: with its id, or with what to do", async () => {
    const { gateway, request, control } = await startGateway([jobs(), predict()]);
    const known = request("/taskqueue/jobs", post("1", WAIT));
    const keyed = request("/endpoint/predict", post("1", { "idempotency-key": "a" }));
    await control.tasks.until(() => control.tasks.listeners === 2);
    const disposed = gateway.dispose({ graceMs: 30_000 });
    expect((await known).status).toBe(202);
    expect(await problemOf(await keyed)).toMatchObject({ status: 503, code: "shutting_down", detail: expect.stringContaining("tk_2") });
    await disposed;
    expect(control.tasks.listeners).toBe(0);
  });
});

describe("a call with an idempotency key", () => {
  const KEY = { "idempotency-key": "order-1" };

  test.each([
    ["JSON", { head: JSON_HEAD, body: Buffer.from('{"ok":true}') }],
    [
      "bytes",
      {
        head: {
          status: 206,
          headers: [
            ["content-type", "image/png"],
            ["x-mine", "1"],
          ] as const,
        },
        body: Buffer.from([0, 255, 128, 10]),
      },
    ],
    ["nothing", { head: { status: 204, headers: [] }, body: Buffer.alloc(0) }],
    [
      "a stream",
      {
        head: { status: 200, headers: [["content-type", "application/x-ndjson"]] as const, items: true },
        chunks: [Buffer.from('{"n":1}\n'), Buffer.from('{"n":2}\n')],
      },
    ],
    ["a failure", { failure: { error: new SamovarError("handler_error", "TypeError: no"), thrown: null, containerId: "ct_1", attempt: 1, retryable: false } }],
  ])("that comes to %s is answered the same again, also while it runs", async (_, ending) => {
    const { request, control } = await startGateway([predict()]);
    const call = () => request("/endpoint/predict", post("1", KEY));
    const first = call();
    await control.tasks.until(() => control.tasks.listeners === 1);
    const second = call();
    await control.tasks.until(() => control.tasks.listeners === 2);
    control.tasks.start("tk_1", STARTED);
    control.tasks.end("tk_1", ending);
    const [one, two, three] = await Promise.all([first, second, call()].map(shapeOf));
    expect(one!.replayed).toBeNull();
    expect(two).toEqual({ ...one, replayed: "true" });
    expect(three).toEqual(two);
    expect([control.tasks.all.size, one!.task]).toEqual([1, "tk_1"]);
  });

  const shapeOf = async (answer: Promise<Response>) => {
    const response = await answer;
    const kept = [...response.headers].filter(([name]) => !["date", "server-timing", "idempotency-replayed"].includes(name));
    return {
      status: response.status,
      headers: kept,
      body: Buffer.from(await response.arrayBuffer()).toString("hex"),
      task: response.headers.get("x-samovar-task-id"),
      replayed: response.headers.get("idempotency-replayed"),
    };
  };

  test("and another input is refused", async () => {
    const { request, control } = await startGateway([predict()]);
    const first = request("/endpoint/predict", post("1", KEY));
    await control.tasks.until(() => control.tasks.listeners === 1);
    expect(await problemOf(await request("/endpoint/predict", post("2", KEY)))).toMatchObject({ status: 422, code: "idempotency_conflict" });
    control.tasks.end("tk_1", { head: JSON_HEAD, body: Buffer.from("1") });
    expect((await first).status).toBe(200);
  });

  test("of a queue is the same task", async () => {
    const { request } = await startGateway([jobs()]);
    for (const replayed of [null, "true"]) {
      const response = await request("/taskqueue/jobs", post("1", KEY));
      expect([response.status, await response.json(), response.headers.get("idempotency-replayed")]).toEqual([202, { taskId: "tk_1" }, replayed]);
    }
  });

  test("is answered with JSON also where a handle was the first", async () => {
    const { request, control } = await startGateway([work()]);
    const head = { status: 200, headers: [["content-type", "application/vnd.samovar.value"]] } as const;
    control.tasks.onPut = ({ detail }) => control.tasks.end(detail.id, { head, body: encodeValue(new Date(0)) }, { result: "1970-01-01T00:00:00.000Z" });
    const byHandle = await request("/function/work", post("1", { ...KEY, accept: "application/vnd.samovar.value" }));
    expect(decodeValue(new Uint8Array(await byHandle.arrayBuffer()))).toEqual(new Date(0));
    const response = await request("/function/work", post("1", { ...KEY, prefer: "wait=5" }));
    expect([response.headers.get("content-type"), await response.json()]).toEqual(["application/json", "1970-01-01T00:00:00.000Z"]);
  });

  test("by a handle is answered with a value", async () => {
    const { request, control } = await startGateway([work()]);
    control.tasks.onPut = ({ detail }) => control.tasks.end(detail.id, { head: JSON_HEAD, body: Buffer.from("1") });
    expect((await request("/function/work", post("1", { ...KEY, accept: "application/vnd.samovar.value" }))).status).toBe(200);
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({ reply: "value", stream: "values", request: null });
  });
});

describe("a schedule", () => {
  const nightly = (development = false): FakeFunction => new FakeFunction({ kind: "schedule", name: "nightly", development });

  test("runs now, without an input", async () => {
    const { request, control } = await startGateway([nightly()]);
    const response = await request("/schedule/nightly", { method: "POST" });
    expect([response.status, await response.json(), response.headers.get("location")]).toEqual([202, { taskId: "tk_run" }, "/api/v1/tasks/tk_run"]);
    expect(control.asked).toEqual([["runSchedule", "nightly"]]);
  });

  test.each([
    ["/schedule/nightly@1", {}],
    ["/schedule/id/fn_nightly_1", {}],
    ["/schedule/nightly", { "idempotency-key": "a" }],
    ["/schedule/nightly", { "x-samovar-delay": "5" }],
  ])("by %s with %j is a task of that", async (path, headers) => {
    const { request, control } = await startGateway([nightly()]);
    expect((await request(path, post('{"ignored":true}', headers as Record<string, string>))).status).toBe(202);
    expect(control.tasks.all.get("tk_1")!.input).toMatchObject({ encoding: "none", body: null, request: null });
    expect(control.asked).toEqual([]);
  });

  test("that is waited for answers with its result", async () => {
    const { request, control } = await startGateway([nightly(true)]);
    control.tasks.onPut = ({ detail }) => control.tasks.end(detail.id, { head: JSON_HEAD, body: Buffer.from("1") });
    const response = await request("/schedule/nightly", { method: "POST", headers: { prefer: "wait=5" } });
    expect([response.status, await response.json()]).toEqual([200, 1]);
  });
});

test.each(["taskqueue", "schedule"] as const)("a %s takes POST alone, and says so", async (kind) => {
  const { request } = await startGateway([new FakeFunction({ kind, name: "it" })]);
  for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
    const response = await request(`/${kind}/it`, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
  }
  const options = await request(`/${kind}/it`, { method: "OPTIONS", headers: { authorization: "" } });
  expect([options.status, options.headers.get("allow")]).toEqual([204, "POST, OPTIONS"]);
});
