import { MAX_PUT_TASKS, RUNTIME, SamovarError, type CallTarget, type CallTransport, type PutTask, type Runtime, type TaskInfo } from "@samovar/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { cls, context, endpoint, fn, schedule, TaskHandle, taskQueue } from "../index.ts";

const holder = globalThis as { [RUNTIME]?: Runtime };

afterEach(() => {
  delete holder[RUNTIME];
});

interface Put {
  readonly target: CallTarget;
  readonly tasks: readonly PutTask[];
}

/** A session that keeps what is put; a task's result is its input. */
function openSession(fail?: (put: Put) => Error | undefined) {
  const puts: Put[] = [];
  const asked: unknown[] = [];
  const inputs = new Map<string, unknown>();
  const transport: Partial<CallTransport> = {
    put: async (target, tasks) => {
      const error = fail?.({ target, tasks });
      if (error) throw error;
      puts.push({ target, tasks });
      return tasks.map((task) => {
        const id = task.idempotencyKey ?? `tk_${inputs.size}`;
        const created = !inputs.has(id);
        inputs.set(id, task.input);
        return { id, created };
      });
    },
    taskResult: async (id, options) => {
      asked.push({ id, ...options });
      if (!inputs.has(id)) throw new SamovarError("not_found", `No task ${id}`);
      return inputs.get(id);
    },
    taskInfo: async (id) => ({ id, status: "RUNNING" }) as TaskInfo,
    cancelTask: async (id) => inputs.delete(id),
  };
  holder[RUNTIME] = { remote: true, context: () => undefined, transport: transport as CallTransport, onExit: () => {} };
  return { puts, asked };
}

class Model {
  readonly size: string;
  constructor(size = "small") {
    this.size = size;
  }
  predict(x: number): number {
    return x;
  }
}

const orders = taskQueue({ name: "orders" }, (order: { id: number }, ctx) => [order.id, ctx.attempt]);
const square = fn({ name: "square" }, (x: number) => x * x);
const count = fn({ name: "count" }, function* (x: number) {
  yield x;
});
const hello = endpoint({ name: "hello" }, (x: string) => x);
const live = endpoint({ name: "live" }, function* (x: string) {
  yield x;
});
const model = cls(Model, { name: "model", methods: ["predict"] });
const nightly = schedule({ name: "nightly", when: "@daily" }, (ctx) => [ctx.scheduledAt.getTime(), context() === ctx]);

describe("what is queued", () => {
  test("goes by kind, name and method, with its input and options in milliseconds", async () => {
    const { puts } = openSession();
    await orders.put({ id: 1 }, { delay: "5m", priority: -2, ttl: "1h", idempotencyKey: "k", concurrencyKey: "c", signal: new AbortController().signal });
    await square.spawn(3);
    await hello.spawn("you", { delay: 1 });
    await model.predict.spawn(4);
    await model.with("large").predict.spawn(5);
    await nightly.spawn();
    expect(puts).toEqual([
      {
        target: { kind: "taskqueue", name: "orders" },
        tasks: [{ input: { id: 1 }, delayMs: 300_000, priorityMs: -2_000, ttlMs: 3_600_000, idempotencyKey: "k", concurrencyKey: "c" }],
      },
      { target: { kind: "function", name: "square" }, tasks: [{ input: 3 }] },
      { target: { kind: "endpoint", name: "hello" }, tasks: [{ input: "you", delayMs: 1_000 }] },
      { target: { kind: "cls", name: "model", method: "predict" }, tasks: [{ input: 4 }] },
      { target: { kind: "cls", name: "model", method: "predict", parameters: ["large"] }, tasks: [{ input: 5 }] },
      { target: { kind: "schedule", name: "nightly" }, tasks: [{}] },
    ]);
  });

  test("has a handle that says whether an earlier task stands for it", async () => {
    openSession();
    const [first, second] = [await square.spawn(1, { idempotencyKey: "a" }), await square.spawn(1, { idempotencyKey: "a" })];
    expect([first.id, first.created, second.id, second.created]).toEqual(["a", true, "a", false]);
  });

  test("in many pieces goes a thousand at a time, each with what a function says of it", async () => {
    const { puts } = openSession();
    async function* ids(): AsyncGenerator<{ id: number }> {
      for (let id = 0; id <= MAX_PUT_TASKS; id++) yield { id };
    }
    const tasks = await orders.putMany(ids(), ({ id }, i) => (i % 2 ? undefined : { concurrencyKey: `c${id}` }));
    expect(puts.map((put) => put.tasks.length)).toEqual([MAX_PUT_TASKS, 1]);
    expect(puts[0]!.tasks.slice(0, 2)).toEqual([{ input: { id: 0 }, concurrencyKey: "c0" }, { input: { id: 1 } }]);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(MAX_PUT_TASKS + 1);
    expect(await tasks[7]!.get()).toEqual({ id: 7 });
    await square.spawnMap([1, 2], { ttl: 5 });
    expect(puts.at(-1)!.tasks).toEqual([
      { input: 1, ttlMs: 5_000 },
      { input: 2, ttlMs: 5_000 },
    ]);
    expect(await square.spawnMap([])).toEqual([]);
  });

  test("is halved where it is too large for one request, in its order", async () => {
    const { puts } = openSession(({ tasks }) => (tasks.length > 2 ? new SamovarError("payload_too_large", "Too large") : undefined));
    await square.spawnMap([1, 2, 3, 4, 5]);
    expect(puts.map((put) => put.tasks.map(({ input }) => input))).toEqual([[1, 2], [3], [4, 5]]);
  });

  test("and fails in part says which were queued", async () => {
    openSession(({ tasks }) => (tasks.some(({ input }) => input === MAX_PUT_TASKS) ? new SamovarError("too_many_pending", "Full") : undefined));
    const error = await square.spawnMap(Array.from({ length: MAX_PUT_TASKS + 1 }, (_, i) => i)).catch((caught: unknown) => caught as SamovarError);
    expect(error).toMatchObject({ code: "too_many_pending", message: `Full (the first ${MAX_PUT_TASKS} inputs were queued before)` });
    expect((error as SamovarError).fields.taskIds).toHaveLength(MAX_PUT_TASKS);
  });

  test("with wrong options is not queued, and all that is wrong is told", async () => {
    const { puts } = openSession();
    const wrong = { dely: 1, priority: "soon", ttl: 0, idempotencyKey: "", concurrencyKey: 7 };
    const error = await orders.put({ id: 1 }, wrong as never).catch((caught: unknown) => caught as SamovarError);
    expect((error as SamovarError).fields.mistakes).toEqual([
      'Unknown option "dely": did you mean "delay"?',
      'priority is not a duration: "soon". Give seconds, or a number with ms, s, m, h or d, such as 1.5, "500ms" or "5m"',
      "ttl is 0, but it takes 1 s to 365 d",
      'idempotencyKey is "", but it takes a string of 1 to 255 characters',
      "concurrencyKey is 7, but it takes a string of 1 to 255 characters",
    ]);
    expect((error as SamovarError).message).toContain('Write:\n  await orders.put(input, { ttl: "1s", concurrencyKey: "7", delay: 1 })');
    await expect(orders.putMany([{ id: 1 }], { idempotencyKey: "one" } as never)).rejects.toThrow(
      "would make them one task. Give a function: orders.putMany(inputs, ",
    );
    await expect(orders.putMany({ id: 1 } as never)).rejects.toThrow('orders.putMany: the inputs are {"id":1}, but it takes a list');
    await expect(orders.put({ id: 1 }, "5m" as never)).rejects.toThrow("orders.put at ");
    await expect(square.spawn(1, { signal: {} as never })).rejects.toThrow("it takes an AbortSignal");
    expect(puts).toEqual([]);
  });

  test("is refused where a stream would be read by nobody, and under a name that the kind has not", () => {
    openSession();
    expect(() => (count as any).spawn(1)).toThrow("count is a generator and has no .spawn()");
    expect(() => (live as any).spawn()).toThrow("live is an endpoint that streams and has no .spawn(). Write: for await (const item of live.request(input)) …");
    expect(() => (orders as any).remote(1)).toThrow(
      "orders is a task queue and has no .remote(). Write orders.put(input), and .get() of what that gives, or define it with fn(…)",
    );
  });

  test("needs a session", async () => {
    await expect(orders.put({ id: 1 })).rejects.toMatchObject({ code: "no_session", message: expect.stringContaining("orders.put() has no session") });
    await expect(TaskHandle.fromId("tk_1").get()).rejects.toMatchObject({ code: "no_session" });
  });
});

describe("a task's handle", () => {
  test("asks by the id alone, also one that was made from it", async () => {
    const { asked } = openSession();
    await square.spawn(9);
    const task = TaskHandle.fromId<number>("tk_0");
    expect([await task.get({ timeout: "1m" }), await task.get(), await task.status(), (await task.info()).id]).toEqual([9, 9, "RUNNING", "tk_0"]);
    expect(asked).toEqual([{ id: "tk_0", timeoutMs: 60_000 }, { id: "tk_0" }]);
    expect([await task.cancel(), await task.cancel()]).toEqual([true, false]);
    await expect(task.get({ timeout: 0 })).rejects.toMatchObject({ code: "not_found" });
  });

  test("refuses what is no id and no timeout", async () => {
    openSession();
    expect(() => TaskHandle.fromId(undefined as never)).toThrow("A task's id is a string");
    await expect(TaskHandle.fromId("tk_0").get({ timeout: -1 })).rejects.toMatchObject({ code: "invalid_option" });
  });
});

describe("locally", () => {
  test("a queue's handler gets its input, a schedule's the moment that is given, or now", async () => {
    expect(await orders.local({ id: 5 })).toEqual([5, 1]);
    expect(await nightly.local(new Date(1_000))).toEqual([1_000, true]);
    const before = Date.now();
    expect((await nightly.local())[0]).toBeGreaterThanOrEqual(before);
  });
});
