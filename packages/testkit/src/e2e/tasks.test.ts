import { Client } from "samovar";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TASKS_APP } from "./tasks.app.fixture.ts";
import { processEnded } from "./test-home.fixture.ts";
import { TestTasks } from "./test-tasks.fixture.ts";

// One server and one deploy for all: what each test queues has a function, or inputs, of its own.
let tasks: TestTasks;
beforeAll(async () => {
  tasks = await TestTasks.create();
  await tasks.deploy(TASKS_APP);
});
// Not `endServer`: folders of containers that were killed with their server are cleared when the next one has been up for a while.
afterAll(async () => {
  const { home } = tasks;
  const { pid } = home.server;
  await home.ok(["down"]);
  await processEnded(pid);
  await home.dispose();
});

test("a task is put by HTTP, the API, a client and code in a container, and done", async () => {
  const { home } = tasks;
  const byHttp = await home.call("/taskqueue/echo", "http");
  expect(byHttp).toMatchObject({ status: 202, json: { taskId: expect.stringMatching(/^tk_/) } });
  expect(byHttp.headers.get("location")).toBe(`/api/v1/tasks/${byHttp.json.taskId}`);
  const [first, second] = await tasks.put("echo", { input: 1 }, { input: { two: 2 } });
  using client = new Client({ url: home.server.url, token: home.token });
  const submitted = await client.deployment("echo").submit("client");

  expect(await tasks.over(byHttp.json.taskId)).toMatchObject({
    status: "COMPLETE",
    function: "echo",
    app: "tasks",
    version: 1,
    result: { echo: "http", attempt: 1 },
  });
  expect((await tasks.over(first!)).result).toMatchObject({ echo: 1, taskId: first });
  expect((await tasks.over(second!)).result).toMatchObject({ echo: { two: 2 } });
  expect(await submitted.result()).toMatchObject({ echo: "client" });
  expect((await home.call("/endpoint/inside", "container")).json).toMatchObject({
    created: [true, false],
    same: true,
    result: { echo: "container" },
    status: "COMPLETE",
  });
});

test("an endpoint with an idempotency key runs once and answers all as if called; another input under the key is refused", async () => {
  const { home } = tasks;
  const headers = { "idempotency-key": "order-7" };
  const [one, two] = await Promise.all([home.call("/endpoint/page", { n: 7 }, { headers }), home.call("/endpoint/page", { n: 7 }, { headers })]);
  expect(one).toMatchObject({ status: 200, json: { input: { n: 7 } } });
  expect(two.text).toBe(one.text);
  const later = await home.call("/endpoint/page", { n: 7 }, { headers });
  expect([later.status, later.text]).toEqual([200, one.text]);
  expect(await home.call("/endpoint/page", { n: 8 }, { headers })).toMatchObject({ status: 422, json: { code: "idempotency_conflict" } });
});

test("respond-async turns any call into a task, and wait answers with the result or, when it takes longer, with the id", async () => {
  const { home } = tasks;
  const accepted = await home.call("/endpoint/page", { n: 1 }, { headers: { prefer: "respond-async" } });
  expect(accepted.status).toBe(202);
  expect((await tasks.over(accepted.json.taskId)).result).toMatchObject({ input: { n: 1 } });
  expect(await home.call("/taskqueue/echo", "waits", { headers: { prefer: "wait=30" } })).toMatchObject({ status: 200, json: { echo: "waits" } });
  const [plain, bare] = await Promise.all([home.call("/function/double", 21), home.call("/function/double", 21, { headers: { prefer: "wait=30" } })]);
  expect([plain.status, bare.status, bare.json]).toEqual([202, 200, 42]);
  const late = await home.call("/taskqueue/held", "late", { headers: { prefer: "wait=1" } });
  expect(late.status).toBe(202);
  (await home.lifelines.next("held late")).go();
  expect(await tasks.over(late.json.taskId)).toMatchObject({ status: "COMPLETE", result: "late" });
  const bareResult = await home.call(`/api/v1/tasks/${late.json.taskId}/result`, undefined, { method: "GET" });
  expect([bareResult.status, bareResult.text]).toEqual([200, "late"]);
});

test("errors are retried by their class, and the last one is kept with all attempts", async () => {
  const [heals, wrong, never] = await tasks.put(
    "picky",
    { input: { fails: 2, name: "RangeError" } },
    { input: { fails: 1, name: "TypeError" } },
    { input: { fails: 9, name: "RangeError" } },
  );
  expect(await tasks.over(heals!)).toMatchObject({
    status: "COMPLETE",
    result: 3,
    attempts: [{ outcome: "error" }, { outcome: "error" }, { outcome: "complete" }],
  });
  expect(await tasks.over(wrong!)).toMatchObject({ status: "ERROR", error: { name: "TypeError", message: "attempt 1" }, attempts: [{ outcome: "error" }] });
  const kept = await tasks.over(never!);
  expect(kept).toMatchObject({ status: "ERROR", error: { name: "RangeError", message: "attempt 4" } });
  expect(kept.attempts.map(({ number, error }) => [number, error?.message])).toEqual([1, 2, 3, 4].map((number) => [number, `attempt ${number}`]));
});

test("a poisonous task ends as ERROR with every attempt named, and one that takes too long as TIMEOUT", async () => {
  const [poison] = await tasks.put("poison", {});
  const [slow] = await tasks.put("slow", {});
  const ended = await tasks.over(poison!);
  expect(ended).toMatchObject({ status: "ERROR", error: { code: "container_lost", fields: { reason: "exit 3" } } });
  expect(ended.attempts.map(({ outcome, error }) => [outcome, error?.fields?.["reason"]])).toEqual([1, 2, 3].map(() => ["error", "exit 3"]));
  expect(await tasks.over(slow!)).toMatchObject({ status: "TIMEOUT", error: { code: "timeout" }, attempts: [{ outcome: "timeout" }, { outcome: "timeout" }] });
});

test("what failed is queued once more, from the beginning", async () => {
  const { home } = tasks;
  const [id] = await tasks.put("picky", { input: { fails: 1, name: "TypeError" } });
  await tasks.over(id!);
  const retried = await home.call(`/api/v1/tasks/${id}/retry`);
  expect(retried).toMatchObject({ status: 200, json: { changed: true } });
  // Attempts count on, so that a late answer of the first is known.
  expect(await tasks.over(id!)).toMatchObject({ status: "COMPLETE", result: 2 });
  expect((await home.call(`/api/v1/tasks/${id}/retry`)).json).toMatchObject({ changed: false });
});

test("a task is cancelled while it waits, runs or stands before its next attempt, and not when it is over", async () => {
  const { home } = tasks;
  const cancel = async (id: string): Promise<unknown> => (await home.call(`/api/v1/tasks/${id}/cancel`)).json;
  const [running, waiting] = await tasks.put("held", { input: "runs" }, { input: "waits" });
  const handler = await home.lifelines.next("held runs");
  expect(await cancel(waiting!)).toMatchObject({ changed: true, task: { status: "CANCELLED", attempts: [] } });
  expect(await cancel(running!)).toMatchObject({ changed: true, task: { status: "CANCELLED" } });
  expect(await tasks.over(running!)).toMatchObject({ status: "CANCELLED", attempts: [{ outcome: "cancelled" }] });
  handler.go();
  const [patient] = await tasks.put("patient", {});
  await tasks.reaches(patient!, "RETRY");
  expect(await cancel(patient!)).toMatchObject({ changed: true, task: { status: "CANCELLED", attempts: [{ outcome: "error" }] } });
  for (const id of [running, waiting, patient]) expect(await cancel(id!)).toMatchObject({ changed: false, task: { status: "CANCELLED" } });
  const [last] = await tasks.put("held", { input: "after" });
  (await home.lifelines.next("held after")).go();
  expect((await tasks.over(last!)).status).toBe("COMPLETE");
  expect(await cancel(last!)).toMatchObject({ changed: false, task: { status: "COMPLETE" } });
});

test("what waits too long expires, and never begins", async () => {
  const { home } = tasks;
  const [first, mortal, next] = await tasks.put("held", { input: "first" }, { input: "mortal", ttlMs: 50 }, { input: "next" });
  const blocking = await home.lifelines.next("held first");
  expect(await tasks.over(mortal!)).toMatchObject({ status: "EXPIRED", attempts: [] });
  blocking.go();
  (await home.lifelines.next("held next")).go();
  expect([(await tasks.over(first!)).status, (await tasks.over(next!)).status]).toEqual(["COMPLETE", "COMPLETE"]);
  const result = await home.call(`/api/v1/tasks/${mortal}/result`, undefined, { method: "GET" });
  expect(result).toMatchObject({ status: 410, json: { code: "expired" } });
});

test("priority is a head start; tasks of one key begin one after another, whatever their priority", async () => {
  const { home } = tasks;
  const [blocker] = await tasks.put("held", { input: "blocker" });
  const blocking = await home.lifelines.next("held blocker");
  const ids = await tasks.put(
    "held",
    { input: "plain" },
    { input: "key-1", concurrencyKey: "k" },
    { input: "key-2", concurrencyKey: "k", priorityMs: 3_600_000 },
    { input: "urgent", priorityMs: 60_000 },
    { input: "later", priorityMs: -60_000 },
  );
  blocking.go();
  await tasks.over(blocker!);
  await Promise.all(["urgent", "plain", "key-1", "key-2", "later"].map(async (name) => (await home.lifelines.next(`held ${name}`)).go()));
  const ended = await Promise.all(ids.map((id) => tasks.over(id)));
  const order = ended.sort((a, b) => a.startedAtMs! - b.startedAtMs!).map(({ result }) => result as string);
  // The second of a key waits until the end of the first is on disk: what comes next may begin meanwhile.
  expect(order.filter((name) => name !== "key-2")).toEqual(["urgent", "plain", "key-1", "later"]);
  expect(order.indexOf("key-2")).toBeGreaterThan(order.indexOf("key-1"));
});

test("a queue that is full says when to try again, and takes none of a request", async () => {
  const { home } = tasks;
  const running = await tasks.put("bounded", {});
  const first = await home.lifelines.next("bounded");
  const waiting = await tasks.put("bounded", {}, {});
  const refused = await home.call("/taskqueue/bounded");
  expect(refused).toMatchObject({ status: 429, json: { code: "too_many_pending" } });
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  first.go();
  await tasks.over(running[0]!);
  (await home.lifelines.next("bounded")).go();
  (await home.lifelines.next("bounded")).go();
  for (const id of waiting) expect((await tasks.over(id)).status).toBe("COMPLETE");
  expect((await tasks.list("function=bounded")).length).toBe(3);
});

test("a result of 10 MiB is kept, and read from another process and after the server and all containers were killed", async () => {
  const { home } = tasks;
  const [large, small] = await Promise.all([tasks.put("large", { input: 10 }), tasks.put("echo", { input: new Date(0).toISOString() })]);
  await tasks.over(small[0]!);
  expect((await tasks.over(large[0]!)).status).toBe("COMPLETE");
  const [held] = await tasks.put("held", { input: "through" });
  await home.lifelines.next("held through");
  const containers = (await home.containers()).flatMap(({ pid, state }) => (pid === null || state === "ended" ? [] : [pid]));
  // Of some drivers it is all of these, of others none.
  const killed = new Set((await home.killAll()).map(({ pid }) => pid));
  for (const pid of containers) if (!killed.has(pid)) process.kill(pid, "SIGKILL");
  await Promise.all(containers.map(processEnded));
  await home.ok(["up", "-d", "--port", "0"]);
  using client = new Client({ url: home.server.url, token: home.token });
  expect(await client.task(small[0]!).result()).toMatchObject({ echo: "1970-01-01T00:00:00.000Z" });
  expect(await client.task<string>(large[0]!).result()).toHaveLength(10 * 1024 * 1024);
  // What ran when the server was killed runs once more, and no attempt was lost to it.
  (await home.lifelines.next("held through")).go();
  expect(await client.task(held!).result()).toBe("through");
});

test("stopped functions keep their tasks; the next version takes over what is queued", async () => {
  const { home } = tasks;
  await home.ok(["deployment", "stop", "held"]);
  expect(await home.call("/taskqueue/held", "refused")).toMatchObject({ status: 503, json: { code: "stopped" } });
  await home.ok(["deployment", "start", "held"]);
  const [running, queued] = await tasks.put("held", { input: "old" }, { input: "new" });
  const old = await home.lifelines.next("held old");
  await tasks.deploy(`${TASKS_APP}\n// the next version\n`);
  (await home.lifelines.next("held new")).go();
  old.go();
  expect(await tasks.over(queued!)).toMatchObject({ status: "COMPLETE", version: 2 });
  expect(await tasks.over(running!)).toMatchObject({ status: "COMPLETE", version: 1 });
});
