import { expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { SamovarError, createCountingIds, type FunctionKind, type FunctionOptions } from "@samovar/protocol";
import type { InputSink, NewInput, TaskEvent, TaskQueues } from "@samovar/scheduler";
import type { NewTask, TaskRecord, TaskStore } from "@samovar/storage";
import { FunctionRegistry } from "../apps/function-registry.ts";
import { functionOf } from "../testing/app.fixture.ts";
import { recordOf } from "./tasks.fixture.ts";
import { Tasks } from "./tasks.ts";

const INPUT: NewInput = {
  method: null,
  encoding: "json",
  reply: "http",
  stream: "ndjson",
  request: null,
  body: Buffer.from("1"),
  delayMs: 0,
  priorityMs: 0,
  ttlMs: null,
  idempotencyKey: null,
  concurrencyKey: null,
};

interface Under {
  readonly tasks: Tasks;
  readonly put: NewTask[];
  tell(event: Partial<TaskEvent>): void;
}

/** Tasks of a function `work`, of which so many wait with the same constructor arguments; `record` is the one that the store has. */
function open(
  options: {
    readonly pending?: number;
    readonly kind?: FunctionKind;
    readonly record?: TaskRecord;
    readonly limits?: Partial<FunctionOptions>;
    readonly known?: readonly string[];
  } = {},
): Under & { entry: ReturnType<typeof functionOf> } {
  const registry = new FunctionRegistry();
  const entry = functionOf("work", { kind: options.kind ?? "endpoint" });
  Object.assign(entry.manifest, { options: { ...entry.manifest.options, ...options.limits } });
  registry.replace([], [entry], true);
  const put: NewTask[] = [];
  let listener: (event: TaskEvent) => void = () => {};
  const queues = {
    // Of all constructor arguments, twice as many.
    pendingOfAll: (base: string, parameters: string | null) => (base === "work" ? (options.pending ?? 0) * (parameters === null ? 2 : 1) : 0),
    serve() {},
    put: async (tasks: readonly NewTask[]) => {
      put.push(...tasks);
      return tasks.map(({ id }) => ({ id, inserted: true, conflict: false, ready: true }));
    },
    changes: {
      watch: (_which: unknown, listen: typeof listener) => {
        listener = listen;
        return () => void (listener = () => {});
      },
    },
  } as unknown as TaskQueues;
  const knownKeys = async (_queue: string, keys: readonly string[]) => new Set(keys.filter((key) => options.known?.includes(key)));
  const store = { get: async () => options.record, knownKeys } as unknown as TaskStore;
  const tasks = new Tasks({ store, queues, registry, callbackOf: async () => null, ids: createCountingIds(), clock: new FakeClock(), embedded: false });
  return { tasks, put, entry, tell: (event) => listener({ id: "tk_1", function: "work", app: "app", attempt: 1, atMs: 0, status: "PENDING", ...event }) };
}

function listen(): { sink: InputSink; heard: unknown[] } {
  const heard: unknown[] = [];
  return {
    heard,
    sink: {
      started: ({ containerId, version }) => void heard.push(["started", containerId, version]),
      result: (_head, body) => void heard.push(["result", body.toString()]),
      head() {},
      data: () => true,
      end() {},
      error: ({ error }) => void heard.push(["error", error.code]),
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const START = { containerId: "ct_1", version: 3, coldStart: false, queuedMs: 1, phases: [] };
const HEAD = { status: 200, headers: [] };

test("callers without a token add so many tasks to a queue and no more, and none that is large; others do", async () => {
  const full = open({ pending: 500 });
  await expect(full.tasks.put(full.entry, [], [{ ...INPUT, anonymous: true }])).rejects.toMatchObject({ code: "too_many_pending" });
  await expect(full.tasks.put(full.entry, [], [INPUT])).resolves.toHaveLength(1);
  const empty = open();
  const large = { ...INPUT, body: Buffer.alloc(1024 * 1024 + 1) };
  await expect(empty.tasks.put(empty.entry, [], [{ ...large, anonymous: true }])).rejects.toMatchObject({ code: "payload_too_large" });
  await expect(empty.tasks.put(empty.entry, [], [large])).resolves.toHaveLength(1);
});

test("a key that stands for a task is answered with it though its queue is full; a new one, and one among them, are refused", async () => {
  const keyed = (idempotencyKey: string): NewInput => ({ ...INPUT, idempotencyKey });
  const { tasks, entry, put } = open({ kind: "taskqueue", pending: 3, limits: { maxPendingTasks: 3 }, known: ["old"] });
  await expect(tasks.put(entry, [], [keyed("old")])).resolves.toHaveLength(1);
  await expect(tasks.put(entry, [], [keyed("new")])).rejects.toMatchObject({ code: "too_many_pending" });
  await expect(tasks.put(entry, [], [keyed("old"), INPUT])).rejects.toMatchObject({ code: "too_many_pending" });
  const almost = open({ kind: "taskqueue", pending: 2, limits: { maxPendingTasks: 3 }, known: ["old"] });
  await expect(almost.tasks.put(almost.entry, [], [keyed("old"), keyed("new"), keyed("new")])).resolves.toHaveLength(3);
  expect(put.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["old"]);
});

test("callers without a token, too, have the task of their key when the queue is full", async () => {
  const { tasks, entry } = open({ pending: 1_000, known: ["old"] });
  await expect(tasks.put(entry, [], [{ ...INPUT, anonymous: true, idempotencyKey: "old" }])).resolves.toHaveLength(1);
});

test.each(["function", "endpoint", "cls", "schedule"] as const)("a limit that was given bounds tasks of the kind %s, its default doesn't", async (kind) => {
  const input = kind === "schedule" ? ({ ...INPUT, encoding: "none", body: null } as const) : INPUT;
  const given = open({ kind, pending: 5, limits: { maxPendingTasks: 5, taskLimit: 5 } });
  await expect(given.tasks.put(given.entry, [], [input])).rejects.toMatchObject({ code: "too_many_pending" });
  const byDefault = open({ kind, pending: 5_000 });
  await expect(byDefault.tasks.put(byDefault.entry, [], [input])).resolves.toHaveLength(1);
});

test("the moment of a schedule is the server's to say: a task that is put by hand has none of its own", async () => {
  const { tasks, entry, put } = open({ kind: "schedule" });
  await tasks.put(entry, [], [{ ...INPUT, body: Buffer.from('{"tickAtMs":0}') }]);
  await tasks.putTick(entry, 7, false);
  expect(put.map(({ encoding, input, tick }) => [encoding, Buffer.from(input).toString(), tick])).toEqual([
    ["none", "", null],
    ["json", '{"tickAtMs":7}', "7"],
  ]);
});

test("a tick of a schedule that has as many tasks waiting as it may is not queued", async () => {
  const { tasks, entry, put } = open({ kind: "schedule", pending: 2, limits: { maxPendingTasks: 2, taskLimit: 2 } });
  await expect(tasks.putTick(entry, 1, false)).rejects.toMatchObject({ code: "too_many_pending" });
  expect(put).toEqual([]);
});

test("what callers without a token put is kept for an hour at most, and of one function there is an end to it", async () => {
  const { tasks, put, entry } = open();
  await tasks.put(entry, [], [INPUT]);
  const large = { ...INPUT, anonymous: true, body: Buffer.alloc(1024 * 1024) };
  await tasks.put(entry, [], [large]);
  expect(put.map(({ keepMs, idempotencyMs }) => [keepMs, idempotencyMs])).toEqual([
    [7 * 24 * 3_600_000, 24 * 3_600_000],
    [3_600_000, 3_600_000],
  ]);
  for (let i = 1; i < 1_022; i++) await tasks.put(entry, [], [large]);
  await expect(tasks.put(entry, [], [large, large])).rejects.toMatchObject({ code: "too_many_pending", message: expect.stringContaining("within an hour") });
  await expect(tasks.put(entry, [], [{ ...large, anonymous: false }])).resolves.toHaveLength(1);
});

test("for callers without a token a class is full by what waits for all constructor arguments together", async () => {
  const { tasks, entry } = open({ pending: 500, kind: "cls" });
  const input = { ...INPUT, method: "run" };
  await expect(tasks.put(entry, [7], [{ ...input, anonymous: true }])).rejects.toMatchObject({ code: "too_many_pending" });
  await expect(tasks.put(entry, [7], [input])).resolves.toHaveLength(1);
});

test("a version that is named has no room of its own", async () => {
  const input = { ...INPUT, pinned: true };
  const bound = open({ kind: "taskqueue", pending: 3, limits: { maxPendingTasks: 3 } });
  await expect(bound.tasks.put(bound.entry, [], [input])).rejects.toMatchObject({ code: "too_many_pending" });
  const strangers = open({ pending: 500 });
  await expect(strangers.tasks.put(strangers.entry, [], [{ ...input, anonymous: true }])).rejects.toMatchObject({ code: "too_many_pending" });
});

test("who began to wait after the task began hears of its start with its end", async () => {
  const { tasks, tell } = open({ record: recordOf({ status: "RUNNING" }) });
  const { sink, heard } = listen();
  tasks.answer("tk_1", sink);
  await turn();
  tell({ status: "COMPLETE", started: START, answer: { head: HEAD, body: Buffer.from("42") } });
  tell({ status: "COMPLETE", started: START, answer: { head: HEAD, body: Buffer.from("again") } });
  expect(heard).toEqual([
    ["started", "ct_1", 3],
    ["result", "42"],
  ]);
});

test("a task that ends while it is looked up is answered once", async () => {
  const head = "[200,[]]";
  const attempt = { number: 1, version: 2, containerId: "ct_2", startedAtMs: 1, endedAtMs: 2, outcome: "complete", error: null } as const;
  const { tasks, tell } = open({ record: recordOf({ status: "COMPLETE", attempts: [attempt], result: { encoding: head, bytes: Buffer.from("7") } }) });
  const { sink, heard } = listen();
  tasks.answer("tk_1", sink);
  tell({ status: "COMPLETE", started: START, answer: { head: HEAD, body: Buffer.from("7") } });
  await turn();
  expect(heard).toEqual([
    ["started", "ct_1", 3],
    ["result", "7"],
  ]);
});

test("a task that isn't there, one that was left, and a selection of everything", async () => {
  const { tasks } = open();
  const unknown = listen();
  tasks.answer("tk_9", unknown.sink);
  const left = listen();
  tasks.answer("tk_9", left.sink).leave();
  await turn();
  expect(unknown.heard).toEqual([["error", "not_found"]]);
  expect(left.heard).toEqual([]);
  await expect(tasks.cancel({})).rejects.toBeInstanceOf(SamovarError);
  await expect(tasks.retry({})).rejects.toMatchObject({ code: "invalid_request" });
});

test("a retry takes what somebody serves, and says of the others why not; versions that rest are served", async () => {
  const registry = new FunctionRegistry();
  registry.replace([], [functionOf("work")], true);
  const asked: unknown[] = [];
  const served: string[] = [];
  const queues = {
    change: async (event: string, which: unknown) => {
      asked.push([event, which]);
      return [
        { id: "tk_1", queue: "work" },
        { id: "tk_2", queue: 'work@1["a"]' },
      ];
    },
    isServed: (base: string) => base === "work",
    serve: (base: string) => void served.push(base),
  } as unknown as TaskQueues;
  const list = async (which: unknown) => {
    asked.push(["list", which]);
    return { tasks: [recordOf({ id: "tk_3", queue: "ss_1/work-dev", functionName: "work-dev" })], cursor: null };
  };
  const store = { list } as unknown as TaskStore;
  const common = { store, queues, registry, callbackOf: async () => null, ids: createCountingIds(), clock: new FakeClock() };
  expect(await new Tasks({ ...common, embedded: false }).retry({ app: "shop", statuses: ["ERROR", "RUNNING"] })).toEqual({
    ids: ["tk_1", "tk_2"],
    unserved: [{ id: "tk_3", reason: expect.stringMatching(/^nobody serves work-dev any more: the session/) }],
  });
  const statuses = ["ERROR", "RUNNING"];
  expect(asked).toEqual([
    ["revive", { app: "shop", statuses, inBases: ["work", "work@1"] }],
    ["list", { app: "shop", statuses: ["ERROR"], notInBases: ["work", "work@1"] }],
  ]);
  expect(served).toEqual(["work@1"]);
  // A server of `run` doesn't know what is deployed.
  expect(await new Tasks({ ...common, embedded: true }).retry({ app: "shop" })).toEqual({ ids: ["tk_1", "tk_2"], unserved: [] });
});

test("what is for one version has a queue of its own, also while that version is the active one", async () => {
  const { tasks, put, entry } = open();
  await tasks.put(entry, [], [INPUT]);
  await tasks.put(entry, [], [{ ...INPUT, pinned: true }]);
  expect(put.map(({ queue }) => queue)).toEqual(["work", "work@1"]);
});

test("a tick is not queued for a version that was replaced, nor beside the active one", async () => {
  const { tasks, put, entry } = open();
  await tasks.putTick(entry, 1, false);
  expect(put.map(({ queue, tick }) => [queue, tick])).toEqual([["work", "1"]]);
  await expect(tasks.putTick(functionOf("work"), 2, false)).rejects.toMatchObject({ code: "conflict" });
  expect(put).toHaveLength(1);
});

test("a generator is not queued for a handle, which could not read its items; over HTTP its answer is kept whole", async () => {
  const { tasks, entry } = open();
  Object.assign(entry.manifest, { handler: { streaming: true, batch: null, inputSchema: null, outputSchema: null } });
  await expect(tasks.put(entry, [], [{ ...INPUT, reply: "value", stream: "values" }])).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("is a generator"),
  });
  await expect(tasks.put(entry, [], [INPUT])).resolves.toHaveLength(1);
});
