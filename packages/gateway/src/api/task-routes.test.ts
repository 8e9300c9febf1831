import { afterEach, describe, expect, test } from "vitest";
import { MAX_PUT_TASKS, SamovarError, decodeValue, encodeValue } from "@samovar/protocol";
import { FakeClock, hashToken } from "@samovar/kit";
import type { Scope } from "@samovar/storage";
import { createAuthenticator } from "../authenticator.ts";
import { DEPLOY_TOKEN, FakeFunction, INVOKE_TOKEN, LINE, TOKENS } from "../fakes.fixture.ts";
import { infoOf } from "../fake-tasks.fixture.ts";
import { disposeGateways, startGateway } from "../gateway.fixture.ts";
import { linesOf } from "./api.fixture.ts";

afterEach(disposeGateways);

const VALUE = "application/vnd.samovar.value";
const as = (token: string): { headers: { authorization: string } } => ({ headers: { authorization: `Bearer ${token}` } });

/** A gateway with a queue, a class, and a function of another app; and tokens of the app "app". */
async function open(options: Parameters<typeof startGateway>[1] = {}) {
  const tokenOf = (id: string, scope: Scope) => ({ id, hash: hashToken(id), name: id, scopes: [scope], app: "app", expiresAtMs: null, createdAtMs: 0 });
  const authenticator = createAuthenticator([...TOKENS, tokenOf("caller", "invoke"), tokenOf("deployer", "deploy")]);
  authenticator.addContainer("ct_9", hashToken("container"), "app");
  const functions = [
    new FakeFunction({ kind: "taskqueue", name: "jobs", version: 1 }),
    new FakeFunction({ kind: "taskqueue", name: "jobs", version: 2 }),
    new FakeFunction({ kind: "cls", name: "model", methods: { run: {} } }),
    new FakeFunction({ kind: "taskqueue", name: "theirs", app: "other" }),
    new FakeFunction({ kind: "schedule", name: "nightly" }),
  ];
  const gateway = await startGateway(functions, { authenticator, ...options });
  const { tasks } = gateway.control;
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await gateway.request(`/api/v1${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : null };
  };
  const post = (path: string, body: unknown, init: RequestInit = {}) => ask(path, { method: "POST", body: JSON.stringify(body), ...init });
  return { ...gateway, tasks, ask, post };
}

describe("inputs are queued", () => {
  test("as JSON, many at once, with durations as people write them", async () => {
    const { post, tasks } = await open();
    const answer = await post("/functions/jobs/tasks", {
      tasks: [
        { input: { n: 1 }, delay: "5m", priority: -1.5, ttl: "1h", idempotencyKey: "a", concurrencyKey: "b" },
        { input: null, delayMs: 1, priorityMs: 2, ttlMs: 3 },
        {},
      ],
    });
    expect([answer.status, answer.json]).toEqual([202, { tasks: ["tk_1", "tk_2", "tk_3"].map((id) => ({ id, created: true })) }]);
    const inputs = [...tasks.all.values()].map(({ input }) => input);
    const common = { method: null, request: null, reply: "http", stream: "ndjson" };
    expect(inputs).toEqual([
      {
        ...common,
        encoding: "json",
        body: Buffer.from('{"n":1}'),
        delayMs: 300_000,
        priorityMs: -1_500,
        ttlMs: 3_600_000,
        idempotencyKey: "a",
        concurrencyKey: "b",
      },
      { ...common, encoding: "json", body: Buffer.from("null"), delayMs: 1, priorityMs: 2, ttlMs: 3, idempotencyKey: null, concurrencyKey: null },
      { ...common, encoding: "none", body: null, delayMs: 0, priorityMs: 0, ttlMs: null, idempotencyKey: null, concurrencyKey: null },
    ]);
  });

  test("but for a schedule: what it runs for is not its caller's to say", async () => {
    const { post, request, tasks } = await open();
    expect(await post("/functions/nightly/tasks", { tasks: [{}, { input: { tickAtMs: 0 } }] })).toMatchObject({
      status: 400,
      json: { code: "invalid_request", detail: expect.stringContaining("tasks.1: nightly is a schedule, which has no input") },
    });
    const body = new Uint8Array(encodeValue({ tasks: [{ encodedInput: encodeValue({ tickAtMs: 0 }) }] }));
    expect((await request("/api/v1/functions/nightly/tasks", { method: "POST", headers: { "content-type": VALUE }, body })).status).toBe(400);
    expect(tasks.all.size).toBe(0);
    expect((await post("/functions/nightly/tasks", { tasks: [{}] })).status).toBe(202);
  });

  test("as a value, whatever JSON can't hold", async () => {
    const { request, tasks } = await open();
    const input = new Map([[1n, new Date(0)]]);
    const response = await request("/api/v1/functions/jobs/tasks", {
      method: "POST",
      headers: { "content-type": VALUE },
      body: new Uint8Array(encodeValue({ tasks: [{ input, delayMs: 5 }] })),
    });
    expect(await response.json()).toEqual({ tasks: [{ id: "tk_1", created: true }] });
    const kept = tasks.all.get("tk_1")!.input;
    expect(kept).toMatchObject({ encoding: "value", reply: "value", stream: "values", delayMs: 5 });
    expect(decodeValue(kept.body!)).toEqual(input);
  });

  test.each([
    ["jobs", 2],
    ["JOBS", 2],
    ["jobs@1", 1],
    ["fn_jobs_1", 1],
  ])("of a function that is named %s: version %i", async (name, version) => {
    const { post, tasks } = await open();
    const put = tasks.put.bind(tasks);
    const versions: number[] = [];
    tasks.put = (entry, ...rest) => {
      versions.push(entry.version);
      return put(entry, ...rest);
    };
    expect((await post(`/functions/${name}/tasks`, { tasks: [{}] })).status).toBe(202);
    expect(versions).toEqual([version]);
  });

  test("for a class's method, with its constructor's arguments", async () => {
    const { post, tasks } = await open();
    expect((await post("/functions/model/tasks?method=run&with=[1]", { tasks: [{}] })).status).toBe(202);
    expect(tasks.all.get("tk_1")).toMatchObject({ parameters: [1], input: { method: "run" } });
    for (const [path, status] of [
      ["/functions/model/tasks", 404],
      ["/functions/model/tasks?method=walk", 404],
      ["/functions/jobs/tasks?method=run", 404],
      ["/functions/model/tasks?method=run&with=1", 400],
    ] as const)
      expect((await post(path, { tasks: [{}] })).status).toBe(status);
  });

  test.each([
    ["not JSON's shape", [], "must be an object"],
    ["no tasks", { tasks: [] }, "tasks"],
    ["too many tasks", { tasks: Array.from({ length: MAX_PUT_TASKS + 1 }, () => ({})) }, "tasks"],
    ["an unknown field", { tasks: [{ dely: 1 }] }, "dely"],
    ["a delay that is none", { tasks: [{ delay: "soon" }] }, "tasks.0.delay"],
    ["a delay of the past", { tasks: [{ delay: -1 }] }, "tasks.0.delay"],
    ["a delay twice", { tasks: [{ delay: 1, delayMs: 1 }] }, "tasks.0.delay"],
    ["a ttl of nothing", { tasks: [{ ttlMs: 0 }] }, "tasks.0.ttlMs"],
    ["an empty key", { tasks: [{ idempotencyKey: "" }] }, "tasks.0.idempotencyKey"],
    ["a long key", { tasks: [{ concurrencyKey: "k".repeat(256) }] }, "tasks.0.concurrencyKey"],
  ])("but not with %s", async (_, body, named) => {
    const { post, tasks } = await open();
    const answer = await post("/functions/jobs/tasks", body);
    expect([answer.status, answer.json]).toMatchObject([400, { code: "invalid_request", detail: expect.stringContaining(named) as string }]);
    expect(tasks.all.size).toBe(0);
  });

  test("but not in a value that is none, or where one input is too large", async () => {
    const { request, post } = await open();
    const broken = await request("/api/v1/functions/jobs/tasks", { method: "POST", headers: { "content-type": VALUE }, body: new Uint8Array([0xc1]) });
    expect([broken.status, await broken.json()]).toMatchObject([400, { code: "invalid_request" }]);
    const large = await post("/functions/jobs/tasks", { tasks: [{}, { input: "x".repeat(16 * 1024 * 1024) }] });
    expect([large.status, large.json]).toMatchObject([413, { detail: expect.stringContaining("tasks.1") as string, maxBytes: 16_777_216 }]);
  });

  test("up to the limit of a call's body, not of other requests to this API", async () => {
    const { post } = await open({ maxBodyBytes: 200_000 });
    expect((await post("/functions/jobs/tasks", { tasks: [{ input: "x".repeat(150_000) }] })).status).toBe(202);
    expect((await post("/functions/jobs/tasks", { tasks: [{ input: "x".repeat(200_000) }] })).status).toBe(413);
  });

  test("by who may call the function", async () => {
    const { post } = await open();
    for (const token of [INVOKE_TOKEN, "caller", "container"]) expect((await post("/functions/jobs/tasks", { tasks: [{}] }, as(token))).status).toBe(202);
    for (const token of [DEPLOY_TOKEN, "deployer"]) expect((await post("/functions/jobs/tasks", { tasks: [{}] }, as(token))).status).toBe(403);
    expect((await post("/functions/theirs/tasks", { tasks: [{}] }, as("caller"))).status).toBe(403);
    const unknown = await post("/functions/their/tasks", { tasks: [{}] }, as("caller"));
    expect(unknown.status).toBe(404);
    expect(unknown.text).not.toContain("theirs");
  });

  test("and what the queue refuses is told", async () => {
    const { post, tasks } = await open();
    tasks.refusal = new SamovarError("too_many_pending", "1000 wait");
    const answer = await post("/functions/jobs/tasks", { tasks: [{}] });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "1"]);
  });
});

describe("tasks are listed", () => {
  test("by what the query says", async () => {
    const clock = new FakeClock();
    clock.advance(7_200_000);
    const { ask, tasks, control } = await open({ clock });
    tasks.add({ id: "tk_a" });
    const nowMs = clock.now();
    const query = "function=predict&app=app&status=pending,ERROR&delivery=queued&since=1h&until=2100-01-01T00:00:00Z&limit=5&cursor=c1";
    const answer = await ask(`/tasks?${query}`);
    expect(answer.json).toEqual({ tasks: [infoOf(tasks.all.get("tk_a")!.detail)], cursor: null });
    expect(control.asked).toEqual([
      [
        "listTasks",
        {
          function: "predict",
          app: "app",
          statuses: ["PENDING", "ERROR"],
          delivery: "queued",
          createdAfterMs: nowMs - 3_600_000,
          createdBeforeMs: Date.UTC(2100, 0, 1),
        },
        { limit: 5, cursor: "c1" },
      ],
    ]);
  });

  test.each(["status=DONE", "delivery=post", "since=yesterday", "limit=0", "limit=1001", "limit=x", "nonsense=1"])("but not by %s", async (query) => {
    const { ask } = await open();
    expect((await ask(`/tasks?${query}`)).json).toMatchObject({ status: 400, detail: expect.stringContaining(query.split("=")[0]!) as string });
  });

  test("to a token of one app, of that app only", async () => {
    const { ask, tasks, control } = await open();
    tasks.add({ id: "tk_a" });
    tasks.add({ id: "tk_b", app: "other" });
    for (const token of ["caller", "container"]) {
      expect((await ask("/tasks", as(token))).json).toMatchObject({ tasks: [{ id: "tk_a" }] });
      expect((await ask("/tasks?app=other", as(token))).status).toBe(403);
    }
    expect(control.asked).toEqual([0, 1].map(() => ["listTasks", { app: "app" }, { limit: 100, cursor: null }]));
    expect((await ask("/tasks", as("deployer"))).status).toBe(403);
  });
});

test("another app's task is as none, whatever is asked of it", async () => {
  const { ask, post, tasks } = await open();
  tasks.add({ id: "tk_b", app: "other" });
  for (const token of ["caller", "container"]) {
    for (const path of ["/tasks/tk_b", "/tasks/tk_b?wait=30s", "/tasks/tk_b/result", "/tasks/tk_b/logs", "/tasks/tk_b/logs?follow=1"]) {
      expect([path, await ask(path, as(token))]).toMatchObject([path, { status: 404, json: { code: "not_found" } }]);
    }
    expect((await ask("/tasks/tk_b", { headers: { ...as(token).headers, accept: "text/event-stream" } })).status).toBe(404);
    for (const verb of ["cancel", "retry"]) expect((await post(`/tasks/tk_b/${verb}`, {}, as(token))).status).toBe(404);
  }
  expect([tasks.listeners, tasks.all.get("tk_b")!.detail.status]).toEqual([0, "PENDING"]);
});

test.each(["/tasks/tk_none", "/tasks/tk_none/result", "/tasks/tk_none/result?wait=30s", "/tasks/tk_none/logs"])("%s is not found", async (path) => {
  const { ask } = await open();
  expect(await ask(path)).toMatchObject({ status: 404, json: { code: "not_found" } });
});

test.each(["/tasks/a%20b", "/tasks/%27/result", `/tasks/${"x".repeat(101)}`, "/tasks/tk_1?wait=-1", "/tasks/tk_1?wait=301", "/tasks/tk_1/result?wait=soon"])(
  "%s is refused before anything is asked",
  async (path) => {
    const { ask } = await open();
    expect(await ask(path)).toMatchObject({ status: 400, json: { code: "invalid_request" } });
  },
);

describe("a task", () => {
  test("is told with its result", async () => {
    const { ask, tasks } = await open();
    tasks.add({ id: "tk_a", status: "COMPLETE", result: { n: 1 }, resultType: "application/json" });
    const answer = await ask("/tasks/tk_a");
    expect([answer.status, answer.json]).toEqual([200, tasks.all.get("tk_a")!.detail]);
  });

  test("is cancelled, and says when there was nothing to cancel", async () => {
    const { post, tasks } = await open();
    tasks.add({ id: "tk_a" });
    for (const changed of [true, false]) {
      const answer = await post("/tasks/tk_a/cancel", {}, as("caller"));
      expect([answer.status, answer.json]).toMatchObject([200, { task: { id: "tk_a", status: "CANCELLED" }, changed }]);
      expect(answer.json!["task"]).not.toHaveProperty("resultType");
    }
  });

  test("is tried again, and says when there was nothing to try", async () => {
    const { post, tasks } = await open();
    tasks.add({ id: "tk_a", status: "ERROR" });
    for (const changed of [true, false])
      expect((await post("/tasks/tk_a/retry", {}, as("container"))).json).toMatchObject({ task: { status: "PENDING" }, changed });
  });
});

describe("many tasks", () => {
  test.each([
    ["cancel", "PENDING"],
    ["retry", "ERROR"],
  ] as const)("are changed by what they have in common: %s", async (verb, status) => {
    const { post, tasks, control } = await open();
    for (const id of ["tk_a", "tk_b"]) tasks.add({ id, status });
    tasks.add({ id: "tk_c", status, app: "other" });
    const answer = await post(`/tasks/${verb}`, { function: "predict", statuses: [status], createdBeforeMs: 5 }, as("caller"));
    expect([answer.status, answer.json]).toEqual([200, { changed: 2 }]);
    expect(control.asked).toMatchObject([[expect.any(String), { function: "predict", statuses: [status], createdBeforeMs: 5, app: "app" }]]);
  });

  test("are named as a list names them, by the server's clock", async () => {
    const clock = new FakeClock();
    clock.advance(7_200_000);
    const { post, tasks, control } = await open({ clock });
    tasks.add({ id: "tk_a", status: "ERROR" });
    tasks.add({ id: "tk_b", status: "ERROR", delivery: "call" });
    const nowMs = clock.now();
    const answer = await post("/tasks/retry", { status: "error,TIMEOUT", delivery: "queued", since: "1h", until: "2100-01-01T00:00:00Z" });
    expect(answer.json).toEqual({ changed: 1 });
    const times = { createdAfterMs: nowMs - 3_600_000, createdBeforeMs: Date.UTC(2100, 0, 1) };
    expect(control.asked).toEqual([["revive", { statuses: ["ERROR", "TIMEOUT"], delivery: "queued", ...times }]]);
  });

  test("that nobody serves any more are left as they are, and counted; of one it is told why", async () => {
    const { post, tasks } = await open();
    tasks.add({ id: "tk_a", status: "ERROR" });
    tasks.gone = "predict";
    expect((await post("/tasks/retry", { status: ["ERROR"] })).json).toEqual({ changed: 0, unserved: 1 });
    expect(await post("/tasks/tk_a/retry", {})).toMatchObject({
      status: 409,
      json: { code: "conflict", detail: "tk_a is not queued again: nobody serves predict any more" },
    });
  });

  test("a call is not queued again, and it is told so", async () => {
    const { post, tasks, control } = await open();
    tasks.add({ id: "tk_a", status: "ERROR", delivery: "call" });
    expect(await post("/tasks/tk_a/retry", {})).toMatchObject({ status: 409, json: { detail: expect.stringContaining("tk_a was a call of predict") } });
    expect(control.asked).toEqual([]);
  });

  test.each([
    { delivery: "queued" },
    { status: "ERROR", statuses: ["ERROR"] },
    { since: "1h", createdAfterMs: 1 },
    { since: "soon" },
    { status: "DONE" },
    { delivery: "posted" },
  ])("are not changed by %j either", async (selection) => {
    const { post, control } = await open();
    expect(await post("/tasks/retry", selection)).toMatchObject({ status: 400, json: { code: "invalid_request" } });
    expect(control.asked).toEqual([]);
  });

  test.each([{}, { statuses: [] }, { ids: [] }, { statuses: ["DONE"] }, { functions: "x" }, { ids: Array.from({ length: 1_001 }, () => "tk_1") }])(
    "are not changed by %j",
    async (selection) => {
      const { post, control } = await open();
      for (const verb of ["cancel", "retry"]) expect((await post(`/tasks/${verb}`, selection, as("caller"))).status).toBe(400);
      expect(control.asked).toEqual([]);
    },
  );

  test("of another app are not a token's of one app to change", async () => {
    const { post, control } = await open();
    expect((await post("/tasks/cancel", { app: "other" }, as("caller"))).status).toBe(403);
    expect(control.asked).toEqual([]);
  });
});

describe("a task's log", () => {
  const line = (text: string, containerId: string) => ({ ...LINE, containerId, text, source: { kind: "input", taskId: "tk_a" } as const });
  const attempt = (number: number, containerId: string) => ({ number, version: 1, containerId, startedAtMs: 1, endedAtMs: null, outcome: null, error: null });

  test("has what each of its containers logged for it", async () => {
    const { request, tasks, control } = await open();
    tasks.add({ id: "tk_a", status: "ERROR", attempts: [attempt(1, "ct_1"), attempt(2, "ct_2"), attempt(3, "ct_1")] });
    control.logsRun = (query, sink) => {
      sink.line(line("hi", query.containerId!));
      sink.end();
    };
    const response = await request("/api/v1/tasks/tk_a/logs?tail=7&follow=1", as("caller"));
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(await Array.fromAsync(linesOf(response))).toEqual([line("hi", "ct_1"), line("hi", "ct_2")]);
    const query = { name: null, taskId: "tk_a", tail: 7, follow: false };
    expect(control.asked).toEqual([
      ["logs", { ...query, containerId: "ct_1" }],
      ["logs", { ...query, containerId: "ct_2" }],
    ]);
  });

  test("is followed until it is over, also in its next container", async () => {
    const { request, tasks, control } = await open();
    tasks.add({ id: "tk_a", status: "RUNNING", attempts: [attempt(1, "ct_1"), attempt(2, "ct_2")] });
    const sinks = new Map<string | null, Parameters<typeof control.logsRun>[1]>();
    const followed = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<void>();
    let stops = 0;
    control.onLogsStopped = () => void (++stops === 3 && stopped.resolve());
    control.logsRun = (query, sink) => {
      sinks.set(query.containerId, sink);
      if (!query.follow) sink.end();
      if (query.containerId === null) followed.resolve();
    };
    const response = await request("/api/v1/tasks/tk_a/logs?follow=1");
    await followed.promise;
    expect([...sinks.keys()]).toEqual(["ct_1", "ct_2", null]);
    sinks.get("ct_2")!.line(line("second", "ct_2"));
    for (const id of ["ct_1", "ct_2", "ct_3"]) sinks.get(null)!.line(line("third", id));
    tasks.change("tk_a", "COMPLETE");
    expect(await Array.fromAsync(linesOf(response))).toEqual([line("second", "ct_2"), line("third", "ct_3")]);
    await stopped.promise;
    expect(tasks.listeners).toBe(0);
  });
});

test("methods that aren't served say which are", async () => {
  const { request } = await open();
  for (const [method, path, allow] of [
    ["DELETE", "/tasks", "GET, HEAD"],
    ["PUT", "/tasks/tk_1", "GET, HEAD"],
    ["GET", "/tasks/tk_1/cancel", "POST"],
    ["POST", "/tasks/events", "GET, HEAD"],
    ["GET", "/functions/jobs/tasks", "POST"],
    ["GET", "/backup", "POST"],
  ] as const) {
    const response = await request(`/api/v1${path}`, { method });
    expect([path, response.status, response.headers.get("allow")]).toEqual([path, 405, allow]);
  }
});
