import { RUNTIME, SamovarError, type CallTarget, type CallTransport, type Runtime } from "@samovar/protocol";
import * as v from "valibot";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { BatchError, cls, context, endpoint, env, fn, schedule, taskQueue } from "../index.ts";
import { getRegistry } from "../registry.ts";

const holder = globalThis as { [RUNTIME]?: Runtime };

afterEach(() => {
  delete holder[RUNTIME];
});

interface Call {
  readonly target: CallTarget;
  readonly input: unknown;
}

/** A session whose functions give their input back. */
function openSession(): Call[] {
  const calls: Call[] = [];
  const transport: CallTransport = {
    call: async (target, input) => {
      calls.push({ target, input });
      if (input === "fail") throw new RangeError("remote");
      return input;
    },
    async *stream(target, input) {
      calls.push({ target, input });
      yield* [1, input];
    },
    scale: async (target, patch) => {
      calls.push({ target: { ...target }, input: patch });
    },
    put: async () => [],
    taskResult: async () => undefined,
    taskInfo: async () => Promise.reject(new Error("not asked for here")),
    cancelTask: async () => false,
  };
  holder[RUNTIME] = { remote: true, context: () => ({ taskId: "t1" }), transport, onExit: () => {} };
  return calls;
}

class Model {
  size: string;
  constructor(size = "small") {
    this.size = size;
  }
  predict(x: number): string {
    return `${this.size} ${x}`;
  }
  async *tokens(prompt: string): AsyncGenerator<string> {
    yield prompt;
  }
  helper(): void {}
  load(): void {
    this.size = this.size.toUpperCase();
  }
}

const square = fn({ name: "square" }, (x: number) => x * x);
const count = fn({ name: "count" }, async function* (to: number) {
  for (let i = 1; i <= to; i++) yield i;
});
const hello = endpoint({ name: "hello" }, (input: { name: string }) => `hello ${input.name}`);
const model = cls(Model, { name: "model", methods: ["predict", "tokens"], onStart: ["load"] });

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

describe("a handle in a session", () => {
  test("calls by kind and name", async () => {
    const calls = openSession();
    expect(await square.remote(3)).toBe(3);
    expect(await hello.request({ name: "you" })).toEqual({ name: "you" });
    expect(await model.predict.remote(1)).toBe(1);
    expect(await model.with("large").predict.remote(2)).toBe(2);
    expect(await collect(count.stream(5))).toEqual([1, 5]);
    expect(calls.map(({ target }) => target)).toEqual([
      { kind: "function", name: "square" },
      { kind: "endpoint", name: "hello" },
      { kind: "cls", name: "model", method: "predict" },
      { kind: "cls", name: "model", method: "predict", parameters: ["large"] },
      { kind: "function", name: "count" },
    ]);
  });

  test("throws what the function threw", async () => {
    openSession();
    await expect(square.remote("fail" as never)).rejects.toThrow(RangeError);
    await expect(square.forEach(["fail" as never])).rejects.toThrow(RangeError);
  });

  test("maps and awaits each", async () => {
    const calls = openSession();
    expect(await collect(square.map([1, 2, 3]))).toEqual([1, 2, 3]);
    await square.forEach([4, 5]);
    expect(calls.map(({ input }) => input)).toEqual([1, 2, 3, 4, 5]);
  });

  test("scales the whole function, by the rules of its options", async () => {
    const calls = openSession();
    await square.updateAutoscaler({ minContainers: 1, maxContainers: null, bufferContainers: 2, scaledownWindow: "5m", tasksPerContainer: 0 });
    await count.updateAutoscaler({ scaledownWindow: -1 });
    await hello.keepWarm(0);
    await model.keepWarm(2);
    await model.with("large").updateAutoscaler({ maxContainers: 3 });
    expect(calls).toEqual([
      {
        target: { kind: "function", name: "square" },
        input: { minContainers: 1, maxContainers: null, bufferContainers: 2, scaledownWindowMs: 300_000, tasksPerContainer: 0 },
      },
      { target: { kind: "function", name: "count" }, input: { scaledownWindowMs: null } },
      { target: { kind: "endpoint", name: "hello" }, input: { minContainers: 0 } },
      { target: { kind: "cls", name: "model" }, input: { minContainers: 2 } },
      { target: { kind: "cls", name: "model" }, input: { maxContainers: 3 } },
    ]);
  });

  test("tells every mistake of a change of scaling, and changes nothing", async () => {
    const calls = openSession();
    const mistakeOf = (scaling: Promise<void>): Promise<string> =>
      scaling.then(
        () => "no mistake",
        (error: SamovarError) => `${error.code}: ${error.message.replace(/ at \S+handles\.test\.ts:\d+:\d+/, " at <site>")}`,
      );
    expect(await mistakeOf(square.updateAutoscaler({ minContainers: 3, maxContainers: 2, scaledownWindow: 1 }))).toMatchInlineSnapshot(`
      "invalid_option: square.updateAutoscaler at <site> has 2 mistakes:
        - scaledownWindow is 1, but it takes 2 s or longer, or -1 for never
        - minContainers (3) is above maxContainers (2)
      Write:
        await square.updateAutoscaler({ minContainers: 3, maxContainers: 3, scaledownWindow: "2s" })"
    `);
    expect(await mistakeOf(square.updateAutoscaler({ minContainer: 3, cpu: 2 } as never))).toMatchInlineSnapshot(`
      "invalid_option: square.updateAutoscaler at <site> has 2 mistakes:
        - Unknown option "minContainer": did you mean "minContainers"?
        - Unknown option "cpu": it belongs to the definition, and changes with the next deploy
      Write:
        await square.updateAutoscaler({ minContainers: 3 })"
    `);
    expect(await mistakeOf(square.updateAutoscaler(undefined as never))).toMatchInlineSnapshot(`
      "invalid_option: square.updateAutoscaler at <site>: The first argument is undefined, but it takes an object of minContainers, maxContainers, bufferContainers, scaledownWindow, tasksPerContainer
      Write:
        await square.updateAutoscaler({ minContainers: 1 })"
    `);
    expect(await mistakeOf(model.keepWarm(-1))).toMatchInlineSnapshot(`
      "invalid_option: model.keepWarm at <site>: containers is -1, but it takes a whole number, 0 or more
      Write:
        await model.keepWarm(0)"
    `);
    expect(await mistakeOf(hello.keepWarm(undefined as never))).toMatchInlineSnapshot(`
      "invalid_option: hello.keepWarm at <site>: containers is undefined, but it takes a whole number, 0 or more
      Write:
        await hello.keepWarm(0)"
    `);
    expect(calls).toEqual([]);
  });

  test("a helper of a class named like what scales it is not in the way", async () => {
    const calls = openSession();
    class Warm {
      run(): void {}
      keepWarm(): void {}
      with(): void {}
    }
    await cls(Warm, { name: "warm", methods: ["run"] }).keepWarm(1);
    expect(calls[0]!.input).toEqual({ minContainers: 1 });
  });

  test("knows where it is", () => {
    expect(env.isRemote()).toBe(false);
    openSession();
    expect(env.isRemote()).toBe(true);
    expect(context().taskId).toBe("t1");
  });

  test("has its export's name once the module is bound", async () => {
    const calls = openSession();
    const late = fn({}, (x: number) => x);
    await expect(late.remote(1)).rejects.toThrow("fn(…) has no name yet: it is not exported by the app's module");
    getRegistry().bind({ late });
    await late.remote(1);
    expect(calls[0]!.target.name).toBe("late");
  });
});

describe("a handle outside of a session", () => {
  test("names `samovar run` and `Client`", async () => {
    await expect(square.remote(1)).rejects.toMatchObject({ code: "no_session" });
    await expect(square.keepWarm(1)).rejects.toThrow("square.keepWarm() has no session");
    await expect(square.remote(1)).rejects.toThrow(
      "square.remote() has no session: this file was not started by samovar. Run it with `samovar run FILE`, or call a server with `new Client({ url, token })`",
    );
    await expect(collect(count.stream(1))).rejects.toThrow("count.stream() has no session");
    await expect(hello.request({ name: "x" })).rejects.toThrow("hello.request() has no session");
  });

  test("can't be called while the module loads", async () => {
    holder[RUNTIME] = { remote: false, context: () => undefined, transport: null, onExit: () => {} };
    await expect(square.remote(1)).rejects.toThrow("square.remote() was called while the module loads");
  });

  test("context() is only inside", () => {
    expect(() => context()).toThrow("context() was called outside of a hook or handler");
  });
});

describe("a handle asked for what it has not", () => {
  test("says what to call instead", () => {
    expect(() => (count as unknown as typeof square).remote(1)).toThrow(
      "count is a generator and has no .remote(). Write: for await (const item of count.stream(input)) …",
    );
    expect(() => (hello as unknown as typeof square).remote(1)).toThrow(
      "hello is an endpoint and has no .remote(). Write hello.request(input), or define it with fn(…)",
    );
  });

  const METHODS = ["remote", "stream", "request", "map", "forEach", "spawn", "spawnMap", "put", "putMany"] as const;
  test.each([
    ["function", square, ["remote", "stream", "map", "forEach", "spawn", "spawnMap"]],
    ["generator", count, ["stream"]],
    ["endpoint", hello, ["request", "spawn"]],
    ["endpoint that streams", endpoint({ name: "lines" }, async function* () {}), ["request"]],
    ["task queue", taskQueue({ name: "jobs" }, () => 1), ["put", "putMany"]],
    ["schedule", schedule({ name: "tick", every: "1h" }, () => 1), ["spawn"]],
  ] as const)("of the kind %s, whatever it is asked for, and is asked for no more than it has", (kind, handle, has) => {
    const calls = handle as unknown as Record<string, (input?: unknown) => unknown>;
    for (const method of METHODS) {
      expect([method, typeof calls[method]]).toEqual([method, "function"]);
      if ((has as readonly string[]).includes(method)) continue;
      const refusal = new RegExp(`is an? ${kind} and has no \\.${method}\\(\\)\\. Write`);
      expect(() => calls[method]!(1)).toThrow(expect.objectContaining({ code: "invalid_definition", message: expect.stringMatching(refusal) as string }));
    }
  });

  test("an unmarked method and a hook say why", () => {
    expect(() => (model as never as { helper: unknown }).helper).toThrow("Model.helper isn't marked: add @method() or make it protected");
    expect(() => (model as never as { load: unknown }).load).toThrow("Model.load is a hook (onStart): Samovar calls it, callers can't. Make it protected");
    expect(Object.keys(model)).toEqual(["updateAutoscaler", "keepWarm", "predict", "tokens", "with"]);
  });

  test("constructor parameters are JSON", () => {
    expect(() => model.with(new Date() as never)).toThrow(SamovarError);
    expect(() => model.with(new Map() as never)).toThrow("Model.with(…): constructor parameters are JSON. $[0] is a Map. Send Object.fromEntries(it)");
    expect(() => (model.with as (...args: unknown[]) => unknown)(undefined, 1)).toThrow("Model.with(…): parameter 0 is undefined, and one after it is not");
  });
});

describe("a local call", () => {
  test("runs start hooks once, and stop hooks at exit", async () => {
    const events: string[] = [];
    const exits: (() => unknown)[] = [];
    holder[RUNTIME] = { remote: false, context: () => undefined, transport: null, onExit: (run) => void exits.push(run) };
    const f = fn(
      {
        name: "f",
        onStart: [
          () => {
            events.push("start");
            return 5;
          },
          (ctx) => ctx.containerId,
        ],
        onStop: (ctx) => void events.push(`stop ${ctx.reason} ${JSON.stringify(ctx.onStartValue)}`),
      },
      (x: number, ctx) => {
        events.push(`${context().taskId} ${ctx.deployment}`);
        return x + ctx.onStartValue[0];
      },
    );
    expect(await Promise.all([f.local(1), f.local(2)])).toEqual([6, 7]);
    expect(events).toEqual(["start", "local-1 f", "local-2 f"]);
    for (const run of exits) await run();
    expect(events.at(-1)).toBe('stop done [5,"local"]');
    expect(exits).toHaveLength(1);
  });

  test("a failed start is tried again by the next call", async () => {
    let starts = 0;
    const f = fn({ onStart: () => (++starts === 1 ? Promise.reject(new Error("first")) : starts) }, (_: number, ctx) => ctx.onStartValue);
    await expect(f.local(1)).rejects.toThrow("first");
    expect(await f.local(1)).toBe(2);
  });

  test("a class has one instance for each set of parameters of a handle", async () => {
    expect(await model.predict.local(1)).toBe("SMALL 1");
    const large = model.with("large");
    expect(await large.predict.local(2)).toBe("LARGE 2");
    expect(await collect(large.tokens.local("hi"))).toEqual(["hi"]);
  });

  test("a generator is closed when its loop is left", async () => {
    let closed = false;
    const f = fn({}, function* (_: number) {
      try {
        yield 1;
        yield 2;
      } finally {
        closed = true;
      }
    });
    for await (const item of f.local(0)) {
      expect(item).toBe(1);
      break;
    }
    expect(closed).toBe(true);
  });

  test("a batch handler gets a list of one", async () => {
    const f = fn({ batch: { maxBatchSize: 4, wait: 0 } }, (xs: readonly number[]) => xs.map((x) => (x < 0 ? new BatchError("negative") : x * 2)));
    expect(await f.local(2)).toBe(4);
    await expect(f.local(-1)).rejects.toThrow(BatchError);
    const wrong = fn({ batch: { maxBatchSize: 4, wait: 0 } }, (_: readonly number[]) => [] as number[]);
    await expect(wrong.local(1)).rejects.toMatchObject({ code: "batch_mismatch" });
  });

  test("onDeploy does not run, and reading its value says so", async () => {
    const f = fn({ onDeploy: () => 1 }, (_: number, ctx) => ctx.onDeployValue);
    await expect(f.local(1)).rejects.toThrow("ctx.onDeployValue is not there in a local call");
  });
});

describe("a schema", () => {
  test("of zod checks and converts", async () => {
    const f = fn({ input: z.object({ n: z.coerce.number(), d: z.number().default(3) }), output: z.number().transform(String) }, (input) => input.n + input.d);
    expect(await f.local({ n: "4" } as never)).toBe("7");
    const error = await f.local({ n: "x" } as never).catch((thrown: unknown) => thrown as SamovarError);
    expect(error).toMatchObject({ code: "invalid_input", fields: { issues: [{ path: ["n"] }] } });
  });

  test("of valibot checks and converts", async () => {
    const f = fn({ input: v.object({ s: v.pipe(v.string(), v.trim(), v.minLength(1)) }) }, (input) => input.s);
    expect(await f.local({ s: " x " })).toBe("x");
    await expect(f.local({ s: " " })).rejects.toMatchObject({ code: "invalid_input", fields: { issues: [{ path: ["s"] }] } });
  });

  test("of a generator checks each item", async () => {
    const f = fn({ output: z.string() }, function* (n: number) {
      yield "a";
      yield n as never;
    });
    await expect(collect(f.local(1))).rejects.toMatchObject({ code: "invalid_output" });
  });
});
