import { describe, expect, test } from "vitest";
import { mistakeOf } from "../testing/load-app.fixture.ts";

const inFn = (options: string, handler = "(x) => x"): Promise<string> =>
  mistakeOf(`import { fn, QueueDepthAutoscaler } from "samovar"; export const f = fn(${options}, ${handler});`);

describe("options", () => {
  test("an unknown option is told with the nearest known one", async () => {
    expect(await inFn("{ cpus: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "cpus": did you mean "cpu"?
      Write:
        fn({ cpu: 2 }, handler)"
    `);
    expect(await inFn("{ minContainer: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "minContainer": did you mean "minContainers"?
      Write:
        fn({ minContainers: 2 }, handler)"
    `);
    expect(await inFn("{ snapshot: true }")).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "snapshot": the nearest known one is "input"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn('{ methods: ["x"] }')).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "methods": it belongs to app.cls(Class, { methods: […] })
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ concurrency: { mx: 2 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "concurrency.mx": did you mean "max"?
      Write:
        fn({ concurrency: { max: 2 } }, handler)"
    `);
    expect(await inFn("{ retries: { max: 2 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: Unknown option "retries.max": did you mean "maxRetries"?
      Write:
        fn({ retries: { maxRetries: 2 } }, handler)"
    `);
  });

  test("all problems of a definition are told together, with the corrected code", async () => {
    expect(await inFn('{ cpus: 2, timeout: "25h", workers: 0, minContainers: 3, maxContainers: 1, onStart: () => 1 }')).toMatchInlineSnapshot(`
      "invalid_option: fn has 4 mistakes:
        - Unknown option "cpus": did you mean "cpu"?
        - timeout is "25h", but it takes 1 s to 24 h, or -1 for no limit
        - workers is 0, but it takes a whole number, 1 or more
        - minContainers (3) is above maxContainers (1)
      Write:
        fn({ timeout: "24h", workers: 1, minContainers: 3, maxContainers: 3, onStart: …, cpu: 2 }, handler)"
    `);
  });

  test("values out of range are told with what the option takes", async () => {
    expect(await inFn("{ timeout: 0.5 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: timeout is 0.5, but it takes 1 s to 24 h, or -1 for no limit
      Write:
        fn({ timeout: "1s" }, handler)"
    `);
    expect(await inFn("{ startupTimeout: -1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: startupTimeout is -1, but it takes 1 s to 24 h
      Write:
        fn({ startupTimeout: "1s" }, handler)"
    `);
    expect(await inFn("{ scaledownWindow: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: scaledownWindow is 1, but it takes 2 s or longer, or -1 for never
      Write:
        fn({ scaledownWindow: "2s" }, handler)"
    `);
    expect(await inFn('{ timeout: "soon" }')).toMatchInlineSnapshot(`
      "invalid_option: fn: timeout is not a duration: "soon". Give seconds, or a number with ms, s, m or h, such as 1.5, "500ms" or "5m"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ workers: 1.5 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: workers is 1.5, but it takes a whole number, 1 or more
      Write:
        fn({ workers: 2 }, handler)"
    `);
    expect(await inFn('{ memory: { request: "2Gi", limit: "1Gi" } }')).toMatchInlineSnapshot(`
      "invalid_option: fn: memory.request ("2Gi") is above memory.limit ("1Gi")
      Write:
        fn({ memory: { request: "2Gi", limit: "2Gi" } }, handler)"
    `);
    expect(await inFn('{ env: ["A"] }')).toMatchInlineSnapshot(`
      "invalid_option: fn: env has the line "A", but each is "K=V"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ env: { A: 1 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: env.A is 1, but it takes a string
      Write:
        fn({ env: { A: "1" } }, handler)"
    `);
    expect(await inFn("{ authorized: 'no' }")).toMatchInlineSnapshot(`
      "invalid_option: fn: authorized is "no", but it takes true or false
      Write:
        fn({ authorized: true }, handler)"
    `);
    expect(await inFn("{ retries: { on: ['RangeError'] } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: retries.on holds "RangeError", but it takes a list of error classes, such as [RangeError]
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ input: { type: 'object' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: input is {"type":"object"}, but it takes a Standard Schema, such as z.object({ … }) of zod or v.object({ … }) of valibot
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ onStart: 'load' }")).toMatchInlineSnapshot(`
      "invalid_option: fn: onStart is "load", but it takes a function, or a list of them
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ name: 'id' }")).toMatchInlineSnapshot(`
      "invalid_option: fn: name: "id" is reserved: choose another name
      Write:
        fn({ name: "byId" }, handler)"
    `);
    expect(await inFn("{ name: 'my function' }")).toMatchInlineSnapshot(`
      "invalid_option: fn: name: "my function" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit
      Write:
        fn({ name: "my-function" }, handler)"
    `);
    expect(await inFn("{ batch: { maxBatchSize: 4 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: batch lacks wait
      Write:
        fn({ batch: { maxBatchSize: 4, wait: "10ms" } }, handler)"
    `);
  });

  test("contradictions name both options", async () => {
    expect(await inFn("{ minContainers: 2, maxContainers: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: minContainers (2) is above maxContainers (1)
      Write:
        fn({ minContainers: 2, maxContainers: 2 }, handler)"
    `);
    expect(await inFn("{ scaledownWindow: 10, keepWarmSeconds: 20 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: scaledownWindow and keepWarmSeconds are two spellings of one option: give one of them
      Write:
        fn({ scaledownWindow: 10 }, handler)"
    `);
    expect(await inFn("{ autoscaler: new QueueDepthAutoscaler({ maxContainers: 3 }), minContainers: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: autoscaler and minContainers contradict each other: say it in one place
      Write:
        fn({ minContainers: 1, maxContainers: 3 }, handler)"
    `);
    expect(await inFn("{ singleUse: true, concurrency: 4 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: singleUse and concurrency (4) contradict each other: a container for one input holds one
      Write:
        fn({ singleUse: true }, handler)"
    `);
    expect(await inFn("{ singleUse: true, workers: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn: singleUse and workers (2) contradict each other: a container for one input needs one worker
      Write:
        fn({ singleUse: true }, handler)"
    `);
    expect(await inFn("{ concurrency: 2, batch: { maxBatchSize: 4, wait: '5ms' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: concurrency (2) is below batch.maxBatchSize (4): no batch could ever fill
      Write:
        fn({ concurrency: 4, batch: { maxBatchSize: 4, wait: "5ms" } }, handler)"
    `);
    expect(await inFn("{ concurrency: { max: 2, target: 4 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: concurrency.target (4) is above concurrency.max (2)
      Write:
        fn({ concurrency: { max: 4, target: 4 } }, handler)"
    `);
    expect(await inFn("{ batch: { maxBatchSize: 4, wait: '5ms' } }", "async function* (xs) { yield xs; }")).toMatchInlineSnapshot(`
      "invalid_option: fn: batch and a generator contradict each other: a batch handler returns a list, one result for each input
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ retries: { initialDelay: 10, maxDelay: 5 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn: retries.initialDelay (10) is above retries.maxDelay (5)
      Write:
        fn({ retries: { initialDelay: 10, maxDelay: 10 } }, handler)"
    `);
  });

  test("missing arguments are told with the corrected code", async () => {
    expect(await mistakeOf(`import { fn } from "samovar"; export const f = fn((x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: fn: The options come first, then the handler
      Write:
        fn({}, handler)"
    `);
    expect(await mistakeOf(`import { endpoint } from "samovar"; export const f = endpoint({ cpu: 1 });`)).toMatchInlineSnapshot(`
      "invalid_definition: endpoint: The handler is undefined, but it takes a function
      Write:
        endpoint({ cpu: 1 }, async (input, ctx) => { … })"
    `);
    expect(await mistakeOf(`import { App } from "samovar"; new App("my app", { cpuz: 1 });`)).toMatchInlineSnapshot(`
      "invalid_definition: new App has 2 mistakes:
        - "my app" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit
        - Unknown option "cpuz": did you mean "cpu"?
      Write:
        new App("my-app", { cpu: 1 })"
    `);
    expect(await mistakeOf(`import { App } from "samovar"; new App("app", { onStart: () => 1 });`)).toMatchInlineSnapshot(`
      "invalid_option: new App: Unknown option "onStart": it belongs to a function, not to the app
      Write:
        new App("app")"
    `);
  });

  test("an app's defaults that contradict a function's options are told when both are known", async () => {
    expect(await mistakeOf(`import { App, fn } from "samovar"; export const f = fn({ singleUse: true }, (x) => x); new App("late", { concurrency: 4 });`))
      .toMatchInlineSnapshot(`
      "invalid_option: f, with the defaults of its app: fn: singleUse and concurrency (4) contradict each other: a container for one input holds one
      Write:
        fn({ singleUse: true }, handler)"
    `);
    expect(
      await mistakeOf(
        `import { App } from "samovar"; const app = new App("early", { concurrency: 4 }); export const f = app.fn({ singleUse: true }, (x) => x);`,
      ),
    ).toMatchInlineSnapshot(`
      "invalid_option: app.fn: singleUse and concurrency (4) contradict each other: a container for one input holds one
      Write:
        app.fn({ singleUse: true }, handler)"
    `);
  });

  test("the stack begins where the definition is written", async () => {
    const { fn } = await import("../index.ts");
    const error = (() => {
      try {
        fn({ cpus: 1 } as never, () => 1);
      } catch (thrown) {
        return thrown as Error;
      }
    })();
    expect(error!.stack!.split("\n").find((line) => line.startsWith("    at"))).toContain("mistakes.test.ts");
  });
});
