import { afterEach, expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import type { TaskChange, TaskDetail } from "@samovar/protocol";
import { functionInfo, logLine, startControlServer, TOKEN, type ControlServer, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { callbackInfo, failedTask, pendingTask, taskDetail } from "../task-server.fixture.ts";
import { createTestIo, type TestIo, type TestIoOptions } from "../test-io.fixture.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12);
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setUp(data: ControlServerData = {}, options: TestIoOptions = {}): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const clock = new FakeClock(NOW_MS);
  const io = createTestIo({ clock, ...options, env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN, NO_COLOR: "1" } });
  cleanUps.push(() => server.dispose(), io.remove);
  return { io, server };
}

const TASKS = [
  pendingTask({}, NOW_MS),
  failedTask({}, NOW_MS),
  taskDetail({ method: "tokens" }, NOW_MS),
  taskDetail({ id: "tk_4", status: "RUNNING", endedAtMs: null, startedAtMs: NOW_MS - 2_000 }, NOW_MS),
];

const change = (over: Partial<TaskChange> = {}): TaskChange => ({
  id: "tk_1",
  function: "transcribe",
  app: "models",
  status: "RUNNING",
  attempt: 1,
  atMs: NOW_MS,
  ...over,
});

const withoutTimes = (text: string): string => text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE").replace(/\d\d:\d\d:\d\d\.\d{3}/g, "TIME");

test("list shows what each is at and the first line of its error", async () => {
  const { io, server } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "list"], io)).toBe(0);
  expect(server.requests).toEqual(["GET /api/v1/tasks?limit=50"]);
  expect(io.out()).toMatchInlineSnapshot(`
    "ID    FUNCTION           DELIVERY  STATUS    ATTEMPTS  AGE  DURATION  ERROR
    tk_3  transcribe         queued    PENDING          0  1 h         -
    tk_2  transcribe         queued    ERROR            2  1 h       1 s  TypeError: bad weather
    tk_1  transcribe.tokens  queued    COMPLETE         1  1 h       1 s
    tk_4  transcribe         queued    RUNNING          1  1 h       2 s
    "
  `);
  expect(io.err()).toBe("");
});

test.each([
  [["--function", "transcribe", "--app", "models"], "function=transcribe&app=models&limit=50"],
  [["--status", "error, timeout,ERROR"], "status=ERROR%2CTIMEOUT&limit=50"],
  [["--failed", "--since", "1h"], "status=ERROR%2CTIMEOUT&delivery=queued&since=3600000ms&limit=50"],
  [["--failed", "--calls"], "status=ERROR%2CTIMEOUT&delivery=call&limit=50"],
  [["--queued"], "delivery=queued&limit=50"],
  [["--since", "7d", "--limit", "3"], "since=604800000ms&limit=3"],
])("list %j asks for those", async (argv, query) => {
  const { io, server } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "list", ...argv], io)).toBe(0);
  expect(server.requests).toEqual([`GET /api/v1/tasks?${query}`]);
});

test("list takes as many pages as the limit needs, and says where there are more", async () => {
  const tasks = Array.from({ length: 1_250 }, (_, i) => taskDetail({ id: `tk_${i}` }, NOW_MS));
  const { io, server } = await setUp({ tasks });
  expect(await runCli(["task", "list", "--limit", "1010"], io)).toBe(0);
  expect(server.requests.map((request) => request.split("?")[1])).toEqual(["limit=500", "limit=500&cursor=500", "limit=10&cursor=1000"]);
  expect(io.out().trimEnd().split("\n")).toHaveLength(1_011);
  expect(io.err()).toContain("There are more: --limit 2020");
});

test("list --json prints one page as the server would", async () => {
  const { io } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "list", "--json", "--limit", "2"], io)).toBe(0);
  expect(JSON.parse(io.out())).toEqual({ tasks: TASKS.slice(0, 2), cursor: "2" });
  expect(io.err()).toBe("");
});

test("list with no tasks says how to queue one", async () => {
  const { io } = await setUp();
  expect(await runCli(["task", "list", "--failed"], io)).toBe(0);
  expect([io.out(), io.err()]).toEqual(["", expect.stringContaining("samovar task put NAME")]);
});

test.each([
  [["list", "--status", "DONE"], /"DONE" is no status: there are PENDING, RUNNING/],
  [["list", "--status", "ERROR", "--failed"], /cannot be used with/],
  [["list", "--calls", "--queued"], /cannot be used with/],
  [["list", "--follow", "--since", "1h"], /cannot be used with/],
  [["list", "--follow", "--limit", "3"], /cannot be used with/],
  [["list", "--limit", "0"], /a whole number from 1/],
  [["list", "--since", "yesterday"], /such as 30s or 5m/],
  [["put", "transcribe", "--priority", "high"], /may be negative/],
  [["list", "--since", "yesterday"], /ms, s, m, h or d/],
  [["put", "transcribe", "--ttl", "0"], /--ttl.* at least 1 ms/],
  [["put", "transcribe", "--delay", "500d"], /--delay.* at most 366d/],
  [["put", "transcribe", "--priority=-500d"], /--priority.* at most 366d/],
  [["put", "transcribe", "--key", ""], /--key.* 1 to 255 characters/],
  [["put", "transcribe", "--concurrency-key", "k".repeat(256)], /--concurrency-key.* 1 to 255 characters/],
  [["put", "transcribe", "--input", "{"], /--input is not JSON/],
  [["cancel"], /Nothing is said about which tasks to cancel\n.*--function/],
  [["retry"], /Nothing is said about which tasks to retry\n.*--failed/],
  [["cancel", "--status", "COMPLETE,ERROR", "--yes"], /at COMPLETE or ERROR can't be cancelled\n.*PENDING, RUNNING, RETRY/],
  [["retry", "--status", "RUNNING", "--yes"], /at RUNNING can't be queued once more\n.*ERROR, TIMEOUT, CANCELLED, EXPIRED/],
  [["cancel", "--failed", "--yes"], /unknown option '--failed'/],
  [["cancel", "tk_1", "--function", "transcribe"], /Tasks are named by id, and --function/],
  [["cancel", "--function", "transcribe"], /Nobody can be asked.*\n.*Add --yes/],
])("task %j is refused before the server hears of it", async (argv, message) => {
  const { io, server } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", ...argv], io)).toBe(1);
  expect(io.err()).toMatch(message);
  expect(server.requests).toEqual([]);
});

test("list --follow prints changes as they come, until Ctrl-C", async () => {
  const changes = [
    change(),
    change({ status: "RETRY", error: { name: "TypeError", message: "bad weather" } }),
    change({ id: "tk_2", status: "PENDING", attempt: 0 }),
  ];
  const { io, server } = await setUp({ changes, followsForever: true });
  const running = runCli(["task", "list", "--follow", "--function", "transcribe"], io);
  await io.sees(/tk_2/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  expect(server.requests).toEqual(["GET /api/v1/tasks/events?function=transcribe"]);
  expect(withoutTimes(io.out())).toBe(
    "TIME tk_1 transcribe RUNNING attempt 1\nTIME tk_1 transcribe RETRY attempt 1: TypeError: bad weather\nTIME tk_2 transcribe PENDING\n",
  );
  expect(io.err()).toBe("");
});

test("list --follow --json prints one change a line, of the statuses that are asked for", async () => {
  const changes = [change(), change({ status: "ERROR" })];
  const { io } = await setUp({ changes });
  expect(await runCli(["task", "list", "--follow", "--json", "--failed"], io)).toBe(0);
  expect(io.out()).toBe(`${JSON.stringify(changes[1])}\n`);
});

test("get shows a task that failed with each attempt and the last one's stack", async () => {
  const callback = callbackInfo({ state: "failed", attempts: 5, lastError: "503" });
  const { io } = await setUp({ tasks: [failedTask({ callback, parameters: ["large"] }, NOW_MS)] });
  expect(await runCli(["task", "get", "tk_2"], io)).toBe(0);
  expect(withoutTimes(io.out())).toMatchInlineSnapshot(`
    "tk_2  ERROR: TypeError: bad weather
    function  transcribe, version 2, app models
    with      ["large"]
    created   DATE (1 h ago)
    started   DATE (1 h ago)
    ended     DATE (1 h ago), took 1 s
    callback  failed after 5 attempts: 503 (https://example.com/done, cb_1)
    input     {"url":"a.mp3"}

    ATTEMPT  VERSION  CONTAINER  STARTED       DURATION  OUTCOME
          1        2  ct_alpha   TIME     31 ms  error
      └ TypeError: bad weather
          2        2  ct_alpha   TIME     31 ms  error
      └ TypeError: bad weather

    TypeError: bad weather
    and wind
        at transcribe (app.ts:3:9)
    "
  `);
});

test("get shows what a task waits for, and how it was put", async () => {
  const task = pendingTask({ priorityMs: -60_000, concurrencyKey: "user-7", idempotencyKey: "job-1", expiresAtMs: NOW_MS + 60_000 }, NOW_MS);
  const { io } = await setUp({ tasks: [task] });
  expect(await runCli(["task", "get", "tk_3"], io)).toBe(0);
  expect(withoutTimes(io.out())).toMatchInlineSnapshot(`
    "tk_3  PENDING
    function  transcribe, app models
    created   DATE (1 h ago)
    due       DATE (in 3 min)
    expires   DATE (in 1 min)
    priority  1 min behind
    key       job-1
    in order  with others of user-7
    waits     it is due in 3 min
    input     {"url":"a.mp3"}
    "
  `);
});

test("get shows the result of a task that is complete", async () => {
  const { io } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "get", "tk_1"], io)).toBe(0);
  expect(io.out()).toContain('result    {"words":12} (application/json)\n');
});

test("get of a task that is unknown is told as the server tells it", async () => {
  const { io } = await setUp();
  expect(await runCli(["task", "get", "tk_9"], io)).toBe(1);
  expect(io.err()).toContain("error (not_found): No task has the id tk_9");
});

test.each([
  ["COMPLETE", [], 0],
  ["ERROR", [], 0],
  ["COMPLETE", ["--wait"], 0],
  ["ERROR", ["--wait"], 1],
  ["PENDING", ["--wait", "20ms"], 1],
] as const)("get of a task that is %s with %j exits with %j", async (status, argv, code) => {
  const { io, server } = await setUp({ tasks: [taskDetail({ status })] });
  expect(await runCli(["task", "get", "tk_1", ...argv, "--json"], io)).toBe(code);
  expect(JSON.parse(io.out())).toMatchObject({ id: "tk_1", status });
  expect(server.requests.slice(0, 2)).toEqual(
    status === "PENDING" ? ["GET /api/v1/tasks/tk_1", "GET /api/v1/tasks/tk_1?wait=20ms"] : ["GET /api/v1/tasks/tk_1"],
  );
  if (status === "PENDING") expect(io.err()).toContain("It isn't over after 20 ms, and goes on\n");
  else expect(io.err()).toBe("");
});

test("get --follow shows changes until it is over, then all of it", async () => {
  const changes = [change({ id: "tk_3", status: "PENDING", attempt: 0 }), change({ id: "tk_3" }), change({ id: "tk_3", status: "COMPLETE" })];
  const { io, server } = await setUp({ tasks: [pendingTask()], changes, followsForever: true });
  expect(await runCli(["task", "get", "tk_3", "--follow"], io)).toBe(1);
  expect(server.requests).toEqual(Array(2).fill("GET /api/v1/tasks/tk_3"));
  expect(withoutTimes(io.out())).toMatch(
    /^TIME tk_3 transcribe PENDING\nTIME tk_3 transcribe RUNNING attempt 1\nTIME tk_3 transcribe COMPLETE attempt 1\ntk_3 {2}PENDING/,
  );
});

test("get --follow ends well when the task did", async () => {
  const { io } = await setUp({ tasks: [pendingTask({ id: "tk_1" })], waited: taskDetail(), changes: [change({ status: "COMPLETE" })] });
  expect(await runCli(["task", "get", "tk_1", "--follow", "--json"], io)).toBe(0);
});

test("put prints the id alone, and sends what was said and nothing else", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["task", "put", "transcribe", "--input", '{"url":"a.mp3"}'], io)).toBe(0);
  expect([io.out(), io.err()]).toEqual(["tk_1\n", ""]);
  const all = ["--delay", "5m", "--priority=-1m", "--ttl", "1d", "--key", "seen", "--concurrency-key", "user-7", "--with", '["large"]', "--json"];
  expect(await runCli(["task", "put", "model.tokens", ...all], io)).toBe(0);
  expect(server.requests).toEqual(["POST /api/v1/functions/transcribe/tasks", "POST /api/v1/functions/model/tasks?method=tokens&with=%5B%22large%22%5D"]);
  expect(server.bodies).toEqual([
    { tasks: [{ input: { url: "a.mp3" } }] },
    { tasks: [{ delayMs: 300_000, priorityMs: -60_000, ttlMs: 86_400_000, idempotencyKey: "seen", concurrencyKey: "user-7" }] },
  ]);
  expect(io.out()).toBe('tk_1\n{"id":"tk_1","created":false}\n');
});

test("put says where a key was seen before", async () => {
  const { io } = await setUp();
  expect(await runCli(["task", "put", "transcribe", "--key", "seen"], io)).toBe(0);
  expect([io.out(), io.err()]).toEqual(["tk_1\n", "tk_1 has this key already: it stands for this one\n"]);
});

test("put --wait prints the result; what the task failed with is an error with its stack", async () => {
  const done = await setUp({ tasks: [taskDetail()] });
  expect(await runCli(["task", "put", "transcribe", "--wait"], done.io)).toBe(0);
  expect([done.io.out(), done.io.err()]).toEqual(['{"words":12}\n', "tk_1\n"]);

  const failed = await setUp({ tasks: [failedTask({ id: "tk_1" })] });
  expect(await runCli(["task", "put", "transcribe", "--wait"], failed.io)).toBe(1);
  expect(failed.io.out()).toBe("");
  expect(failed.io.err()).toMatch(/^tk_1\nTypeError: bad weather\nand wind\n {4}at transcribe \(app.ts:3:9\)\n {2}→ `samovar task get tk_1`/);

  const error = { name: "Error", message: "no place", cause: { name: "TypeError", message: "nor here" } };
  const placeless = await setUp({ tasks: [failedTask({ id: "tk_1", error })] });
  expect(await runCli(["task", "put", "transcribe", "--wait"], placeless.io)).toBe(1);
  expect(placeless.io.err()).toMatch(/^tk_1\nError: no place\n {2}caused by TypeError: nor here\n {2}→ `samovar task get tk_1`/);

  const late = await setUp({ tasks: [pendingTask({ id: "tk_1" })] });
  expect(await runCli(["task", "put", "transcribe", "--wait", "20ms"], late.io)).toBe(1);
  expect(late.io.err()).toContain(
    "error (timeout): tk_1 isn't over after 20 ms: it is PENDING, it is due in 3 min\n  → It goes on: `samovar task get tk_1 --wait`",
  );
});

test.each([
  ["get", "tk_1"],
  ["put", "transcribe"],
])("%s --wait waits through a restart of the server, and says so once", async (verb, name) => {
  const tasks = [pendingTask({ id: "tk_1" })];
  const waits = Promise.withResolvers<void>();
  const { io, server } = await setUp({ tasks, onWait: waits.resolve });
  const waiting = runCli(["task", verb, name, "--wait", "--json"], io);
  await waits.promise;
  await server.dispose();
  await io.sees(/The server at http.* is away or stops: tk_1 goes on when it is back, and is waited for\n/);
  const next = await startControlServer({ tasks, waited: taskDetail() }, Number(new URL(server.url).port));
  cleanUps.push(() => next.dispose());
  expect(await waiting).toBe(0);
  expect(JSON.parse(io.out())).toMatchObject({ id: "tk_1", status: "COMPLETE" });
  expect(io.err().match(/is away or stops/g)).toHaveLength(1);
});

test("get --wait of an address where there is no server doesn't wait for one", async () => {
  const { io, server } = await setUp({ tasks: [pendingTask({ id: "tk_1" })] });
  await server.dispose();
  expect(await runCli(["task", "get", "tk_1", "--wait"], io)).toBe(1);
  expect(io.err()).toContain("error (server_unreachable): No server answers at");
});

const LARGE = { result: undefined, resultType: "text/plain", resultBytes: 17 * 1024 * 1024 } as unknown as Partial<TaskDetail>;

test("get of a result that is too large to be shown says how large, and what prints it", async () => {
  const { io } = await setUp({ tasks: [taskDetail(LARGE)] });
  expect(await runCli(["task", "get", "tk_1"], io)).toBe(0);
  expect(io.out()).toContain("result    17 MiB of text/plain: samovar task get tk_1 --result prints it\n");
});

test.each([
  ["put --wait", ["put", "transcribe", "--wait"]],
  ["get --result", ["get", "tk_1", "--result"]],
])("%s prints a result that is too large to be shown, whole", async (_, argv) => {
  const { io } = await setUp({ tasks: [taskDetail(LARGE)], result: "x".repeat(17 * 1024 * 1024) });
  expect(await runCli(["task", ...argv], io)).toBe(0);
  expect(io.out().length).toBe(17 * 1024 * 1024 + 3);
});

test("get --result prints bytes as they are, and refuses what JSON would change, as run does", async () => {
  const bytes = await setUp({ tasks: [taskDetail()], result: new TextEncoder().encode("hi\n") });
  expect(await runCli(["task", "get", "tk_1", "--result"], bytes.io)).toBe(0);
  expect(bytes.io.out()).toBe("hi\n");
  const date = await setUp({ tasks: [taskDetail()], result: { at: new Date(0) } });
  expect(await runCli(["task", "get", "tk_1", "--result"], date.io)).toBe(1);
  expect(date.io.err()).toContain("$.at is a Date");
});

test("the result of a call is not kept, which get says, and of one that failed there is none", async () => {
  const { result: _result, ...call } = taskDetail({ delivery: "call", resultType: null, resultBytes: null });
  const { io } = await setUp({ tasks: [call, failedTask()] });
  expect(await runCli(["task", "get", "tk_1"], io)).toBe(0);
  expect(io.out()).toContain("result    not kept: it went to who called\n");
  expect(await runCli(["task", "get", "tk_1", "--result"], io)).toBe(1);
  expect(io.err()).toContain("error (not_found): tk_1 was a call, whose result went to who called: it is not kept");
  expect(await runCli(["task", "get", "tk_2", "--result"], io)).toBe(1);
  expect(io.err()).toContain("TypeError: bad weather");
});

test.each([
  ["CANCELLED", "error (cancelled): tk_1 was cancelled"],
  ["EXPIRED", "error (expired): tk_1 expired before an attempt began"],
] as const)("put --wait of a task that ends as %s says so", async (status, message) => {
  const { io } = await setUp({ tasks: [taskDetail({ status })] });
  expect(await runCli(["task", "put", "transcribe", "--wait"], io)).toBe(1);
  expect(io.err()).toContain(message);
});

test("cancel and retry by id say what became of each; an unknown one hinders no others", async () => {
  const { io, server } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "cancel", "tk_3", "tk_9", "tk_2"], io)).toBe(1);
  expect(io.out()).toBe("tk_3 is cancelled\ntk_2 was over already: ERROR\n");
  expect(io.err()).toContain("No task has the id tk_9");
  expect(await runCli(["task", "retry", "tk_2"], io)).toBe(0);
  expect(await runCli(["task", "retry", "tk_4", "tk_1", "--json"], io)).toBe(1);
  expect(io.out().split("\n").slice(2)).toEqual(["tk_2 is queued once more", JSON.stringify({ changed: 0, tasks: [TASKS[3], TASKS[2]] }), ""]);
  expect(server.requests).toContain("POST /api/v1/tasks/tk_2/retry");
});

test.each([
  ["retry", failedTask({ delivery: "call" }), "tk_2 was a call that ended as ERROR, and calls can't be queued again", 1],
  ["cancel", failedTask({ delivery: "call" }), "tk_2 was a call that ended as ERROR", 0],
  ["retry", taskDetail({ id: "tk_2" }), "tk_2 was over already: COMPLETE", 1],
  ["retry", pendingTask({ id: "tk_2" }), "tk_2 is not over: PENDING", 0],
] as const)("%s by id of what it does nothing to says why, and fails where it isn't as was asked", async (verb, task, line, code) => {
  const { io } = await setUp({ tasks: [task] });
  expect(await runCli(["task", verb, "tk_2"], io)).toBe(code);
  expect(io.out()).toBe(`${line}\n`);
});

test("a change of many asks at a terminal, with how many they are; only yes is yes", async () => {
  const no = await setUp({ tasks: TASKS }, { isTTY: true, stdin: "n\n" });
  expect(await runCli(["task", "cancel", "--function", "transcribe"], no.io)).toBe(1);
  expect(no.io.err()).toBe("Cancel 2 tasks of transcribe at PENDING, RUNNING, RETRY? [y/N] Nothing was changed\n");
  expect(no.server.requests).toEqual(["GET /api/v1/tasks?function=transcribe&status=PENDING%2CRUNNING%2CRETRY&delivery=queued&limit=100"]);

  const yes = await setUp({ tasks: TASKS }, { isTTY: true, stdin: "y\n" });
  expect(await runCli(["task", "retry", "--function", "transcribe", "--since", "1d"], yes.io)).toBe(0);
  expect(yes.io.err()).toBe("Queue once more 1 task of transcribe at ERROR, TIMEOUT, accepted in the last 1 d? [y/N] ");
  expect(yes.io.out()).toBe("1 task is queued once more\n");
  // By the server's clock, as what was asked about: this one may be another.
  expect(yes.server.bodies).toEqual([{ function: "transcribe", status: "ERROR,TIMEOUT", since: "86400000ms" }]);
});

test.each([
  ["list", "--function", "transcrib", /No function is named "transcrib", and no task is of one. Did you mean "transcribe"\?/],
  ["cancel", "--function", "transcrib", /No function is named "transcrib".* Did you mean "transcribe"\?/],
  ["retry", "--app", "model", /No app is named "model".* Did you mean "models"\?/],
])("%s %s of a name that nothing has says which is near", async (verb, option, name, message) => {
  const { io } = await setUp({ functions: [functionInfo({ name: "transcribe", app: "models" })] });
  expect(await runCli(["task", verb, option, name, ...(verb === "list" ? [] : ["--yes"])], io)).toBe(1);
  expect(io.err()).toMatch(message);
});

test("a function without tasks has none to change, and nobody is asked", async () => {
  const { io } = await setUp({ functions: [functionInfo({ name: "transcribe" })] }, { isTTY: true, stdin: "" });
  expect(await runCli(["task", "list", "--function", "Transcribe"], io)).toBe(0);
  expect(await runCli(["task", "cancel", "--function", "transcribe"], io)).toBe(0);
  expect(io.out()).toBe("0 tasks are cancelled\n");
  expect(io.err()).not.toContain("[y/N]");
});

test("--yes asks nobody", async () => {
  const { io, server } = await setUp({ tasks: TASKS });
  expect(await runCli(["task", "cancel", "--app", "models", "--status", "PENDING", "--yes", "--json"], io)).toBe(0);
  expect(server.requests).toEqual(["POST /api/v1/tasks/cancel"]);
  expect(server.bodies).toEqual([{ app: "models", status: "PENDING" }]);
  expect(io.out()).toBe('{"changed":1}\n');
});

test("retry says how many stay as they are because nobody serves them", async () => {
  const { io } = await setUp({ tasks: TASKS, unserved: 2 });
  expect(await runCli(["task", "retry", "--failed", "--yes"], io)).toBe(0);
  expect(io.out()).toBe("1 task is queued once more\n");
  expect(io.err()).toBe("2 tasks stay as before, for nobody serves their functions any more: deploy or serve them again\n");
  expect(await runCli(["task", "retry", "--failed", "--yes", "--json"], io)).toBe(0);
  expect(io.out()).toContain('{"changed":1,"unserved":2}\n');
});

test("logs of a task are those of a container, and may be followed until it is over", async () => {
  const { io, server } = await setUp({ tasks: TASKS, taskLogs: [logLine()] });
  expect(await runCli(["task", "logs", "tk_1"], io)).toBe(0);
  expect(await runCli(["task", "logs", "tk_1", "-f", "--json"], io)).toBe(0);
  expect(server.requests).toEqual(["GET /api/v1/tasks/tk_1/logs", "GET /api/v1/tasks/tk_1/logs?follow=1"]);
  expect(withoutTimes(io.out())).toBe(`TIME [predict] hello\n${JSON.stringify(logLine())}\n`);
});
