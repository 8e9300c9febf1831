import { describe, expect, test } from "vitest";
import { mistakeOf } from "../testing/load-app.fixture.ts";

const inFn = (options: string, handler = "(x) => x"): Promise<string> =>
  mistakeOf(`import { fn, QueueDepthAutoscaler } from "samovar"; export const f = fn(${options}, ${handler});`);

describe("options", () => {
  test("an unknown option is told with the nearest known one", async () => {
    expect(await inFn("{ cpus: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "cpus": did you mean "cpu"?
      Write:
        fn({ cpu: 2 }, handler)"
    `);
    expect(await inFn("{ minContainer: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "minContainer": did you mean "minContainers"?
      Write:
        fn({ minContainers: 2 }, handler)"
    `);
    expect(await inFn("{ snapshot: true }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: snapshot is not supported yet by this version
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ zzzzz: true }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "zzzzz": the nearest known one is "name"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn('{ methods: ["x"] }')).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "methods": it belongs to app.cls(Class, { methods: […] })
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ concurrency: { mx: 2 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "concurrency.mx": did you mean "max"?
      Write:
        fn({ concurrency: { max: 2 } }, handler)"
    `);
    expect(await inFn("{ retries: { max: 2 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "retries.max": did you mean "maxRetries"?
      Write:
        fn({ retries: { maxRetries: 2 } }, handler)"
    `);
  });

  test("all problems of a definition are told together, with the corrected code", async () => {
    expect(await inFn('{ cpus: 2, timeout: "25h", workers: 0, minContainers: 3, maxContainers: 1, onStart: () => 1 }')).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 4 mistakes:
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
      "invalid_option: fn at <site>: timeout is 0.5, but it takes 1 s to 24 h, or -1 for no limit
      Write:
        fn({ timeout: "1s" }, handler)"
    `);
    expect(await inFn("{ startupTimeout: -1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: startupTimeout is -1, but it takes 1 s to 24 h
      Write:
        fn({ startupTimeout: "1s" }, handler)"
    `);
    expect(await inFn("{ scaledownWindow: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: scaledownWindow is 1, but it takes 2 s or longer, or -1 for never
      Write:
        fn({ scaledownWindow: "2s" }, handler)"
    `);
    expect(await inFn('{ timeout: "soon" }')).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: timeout is not a duration: "soon". Give seconds, or a number with ms, s, m, h or d, such as 1.5, "500ms" or "5m"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ workers: 1.5 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: workers is 1.5, but it takes a whole number, 1 or more
      Write:
        fn({ workers: 2 }, handler)"
    `);
    expect(await inFn('{ memory: { request: "2Gi", limit: "1Gi" } }')).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: memory.request ("2Gi") is above memory.limit ("1Gi")
      Write:
        fn({ memory: { request: "2Gi", limit: "2Gi" } }, handler)"
    `);
    expect(await inFn('{ env: ["A"] }')).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: env has the line "A", but each is "K=V"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ env: { A: 1 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: env.A is 1, but it takes a string
      Write:
        fn({ env: { A: "1" } }, handler)"
    `);
    expect(await inFn("{ authorized: 'no' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: authorized is "no", but it takes true or false
      Write:
        fn({ authorized: true }, handler)"
    `);
    expect(await inFn("{ retries: { on: ['RangeError'] } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: retries.on holds "RangeError", but it takes a list of error classes, such as [RangeError]
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ input: { type: 'object' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: input is {"type":"object"}, but it takes a Standard Schema, such as z.object({ … }) of zod or v.object({ … }) of valibot
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ onStart: 'load' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: onStart is "load", but it takes a function, or a list of them
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ name: 'id' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: name: "id" is reserved: choose another name
      Write:
        fn({ name: "byId" }, handler)"
    `);
    expect(await inFn("{ name: 'my function' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: name: "my function" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit
      Write:
        fn({ name: "my-function" }, handler)"
    `);
    expect(await inFn("{ batch: { maxBatchSize: 4 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: batch lacks wait
      Write:
        fn({ batch: { maxBatchSize: 4, wait: "10ms" } }, handler)"
    `);
  });

  test("numbers that JSON has no word for are shown as they are", async () => {
    expect(await inFn("{ workers: NaN }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: workers is NaN, but it takes a whole number, 1 or more
      Write:
        fn({ workers: 1 }, handler)"
    `);
    expect(await inFn("{ timeout: -Infinity }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: timeout is not a duration: -Infinity. Give seconds, or a number with ms, s, m, h or d, such as 1.5, "500ms" or "5m"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ minContainers: 10n }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: minContainers is 10n, but it takes a whole number, 0 or more
      Write:
        fn({ minContainers: 0 }, handler)"
    `);
  });

  test("every value that is wrong is told, and the corrected code keeps none of them", async () => {
    expect(await inFn("{ retries: { maxRetries: -1, backoff: 0, maxDelay: 5, on: ['x', RangeError], jiter: 1 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 4 mistakes:
        - retries.maxRetries is -1, but it takes a whole number, 0 or more
        - retries.backoff is 0, but it takes a number, 1 or more
        - retries.on holds "x", but it takes a list of error classes, such as [RangeError]
        - Unknown option "retries.jiter": did you mean "jitter"?
      Write:
        fn({ retries: { maxRetries: 0, backoff: 2, maxDelay: 5, on: [RangeError], jitter: true } }, handler)"
    `);
    expect(await inFn("{ concurrency: { max: 0, traget: -1 }, batch: { maxBatchSize: 0, wait: 'soon' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 4 mistakes:
        - concurrency.max is 0, but it takes a whole number, 1 or more
        - Unknown option "concurrency.traget": did you mean "target"?
        - batch.maxBatchSize is 0, but it takes a whole number, 1 or more
        - batch.wait is not a duration: "soon". Give seconds, or a number with ms, s, m, h or d, such as 1.5, "500ms" or "5m"
      Write:
        fn({ concurrency: { max: 1, target: 1 }, batch: { maxBatchSize: 1, wait: "10ms" } }, handler)"
    `);
    expect(await inFn("{ cpu: { request: -1, limit: 'x' }, memory: { limit: '1Gi', requests: '512Mi' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 3 mistakes:
        - cpu.request is not an amount of cpu: -1. Give cores, or thousandths with m, such as 2, 0.5 or "500m"
        - cpu.limit is not an amount of cpu: "x". Give cores, or thousandths with m, such as 2, 0.5 or "500m"
        - Unknown option "memory.requests": did you mean "request"?
      Write:
        fn({ memory: { limit: "1Gi", request: "512Mi" } }, handler)"
    `);
    expect(await inFn("{ env: { A: 1, B: undefined, '1C': 'x', D: 'ok' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 3 mistakes:
        - env.A is 1, but it takes a string
        - env.B is undefined, but it takes a string
        - env has the name "1C": use letters, digits and _, not beginning with a digit
      Write:
        fn({ env: { A: "1", D: "ok" } }, handler)"
    `);
    expect(await inFn("{ taskPolicy: { maxRetries: -1, timeout: 0 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 2 mistakes:
        - taskPolicy.maxRetries is -1, but it takes a whole number, 0 or more
        - taskPolicy.timeout is 0, but it takes 1 s to 24 h, or -1 for no limit
      Write:
        fn({ taskPolicy: { maxRetries: 0, timeout: "1s" } }, handler)"
    `);
    expect(await inFn("{ autoscaler: new QueueDepthAutoscaler({ minContainers: -1, maxContainers: 0, tasks: 3 }) }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 3 mistakes:
        - autoscaler.minContainers is -1, but it takes a whole number, 0 or more
        - autoscaler.maxContainers is 0, but it takes a whole number, 1 or more
        - Unknown option "autoscaler.tasks": did you mean "tasksPerContainer"?
      Write:
        fn({ autoscaler: new QueueDepthAutoscaler({ minContainers: 0, maxContainers: 1, tasksPerContainer: 3 }) }, handler)"
    `);
  });

  test("options of versions to come are told as that, not as misspelt ones", async () => {
    const options = ["image", "volumes", "secrets", "snapshot"];
    const mistake = await inFn(`{ ${options.map((key) => `${key}: 1`).join(", ")} }`);
    for (const key of options) expect(mistake).toContain(`  - ${key} is not supported yet by this version\n`);
    expect(mistake).toMatch(/Write:\n {2}fn\(\{\}, handler\)$/);
  });

  test("GPUs are names with a count, disk a size", async () => {
    expect(await inFn("{ gpu: 5 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpu is 5, but it takes a name such as "T4", "T4:2" for two of them, or a list of names in order of preference
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ gpu: 'T4:0' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpu is "T4:0", but behind the colon stands how many, 1 or more
      Write:
        fn({ gpu: "T4" }, handler)"
    `);
    expect(await inFn("{ gpu: ['T4:two', '', 'L4'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 2 mistakes:
        - gpu holds "T4:two", but behind the colon stands how many, 1 or more
        - gpu holds "", but it takes a name such as "T4", "T4:2" for two of them, or a list of names in order of preference
      Write:
        fn({ gpu: ["T4", "L4"] }, handler)"
    `);
    expect(await inFn("{ gpu: ['A100:2', 'T4'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpu lists "A100:2" and "T4", but a container gets the same number of whichever it gets: list names alone, and give gpuCount
      Write:
        fn({ gpu: ["A100", "T4"] }, handler)"
    `);
    expect(await inFn("{ gpu: 'T4', gpuCount: 0 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpuCount is 0, but it takes a whole number, 1 or more
      Write:
        fn({ gpu: "T4", gpuCount: 1 }, handler)"
    `);
    expect(await inFn("{ disk: '10GB' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: disk is not an amount of disk: "10GB". Give MiB, or a number with Mi or Gi, such as 512, "512Mi" or "1.5Gi"
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ gpus: 'T4' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "gpus": did you mean "gpu"?
      Write:
        fn({ gpu: "T4" }, handler)"
    `);
  });

  test("a network is one of three, and its list holds CIDRs and domains", async () => {
    expect(await inFn("{ network: 'bridge' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: network is "bridge", but it takes "host", "isolated" or "none", or { mode: "isolated", allow: ["10.0.0.0/8", "example.com"] }
      Write:
        fn({ network: "isolated" }, handler)"
    `);
    expect(await inFn("{ network: 'isolate' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: network is "isolate", but it takes "host", "isolated" or "none", or { mode: "isolated", allow: ["10.0.0.0/8", "example.com"] }
      Write:
        fn({ network: "isolated" }, handler)"
    `);
    expect(await inFn("{ network: { allow: ['https://example.com/v1', 'example.com'] } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 2 mistakes:
        - network.allow: https://example.com/v1 is a URL: give its host alone, "example.com"
        - network lacks mode
      Write:
        fn({ network: { allow: ["example.com"], mode: "isolated" } }, handler)"
    `);
    expect(await inFn("{ network: { mode: 'isolated', alow: [] } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: Unknown option "network.alow": did you mean "allow"?
      Write:
        fn({ network: { mode: "isolated", allow: [] } }, handler)"
    `);
    expect(await inFn("{ network: 'isolated', allow: 'example.com' }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: allow is "example.com", but it takes a list of CIDRs and domains, such as ["10.0.0.0/8", "example.com"]
      Write:
        fn({ network: "isolated", allow: ["example.com"] }, handler)"
    `);
    expect(await inFn("{ network: 'isolated', allow: ['10.0.0.1/8', 'a b', 'example.com'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site> has 2 mistakes:
        - allow: 10.0.0.1/8 has bits set after its prefix: write "10.0.0.0/8", or "10.0.0.1" for the one address
        - allow: "a b" has a space in it: give each CIDR and domain an entry of its own
      Write:
        fn({ network: "isolated", allow: ["example.com"] }, handler)"
    `);
    expect(await inFn("{ network: 'isolated', allow: Array(1001).fill('a.example') }")).toContain("allow has 1001 entries, but it takes 1000 at most");
  });

  test("contradictions of GPUs and networks name both options", async () => {
    expect(await inFn("{ gpu: 'T4:2', gpuCount: 3 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpu ("T4:2") and gpuCount (3) contradict each other: say in one place how many
      Write:
        fn({ gpu: "T4:2" }, handler)"
    `);
    expect(await inFn("{ gpu: 'T4:2', gpuCount: 2 }")).toBe("no mistake");
    expect(await inFn("{ gpuCount: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpuCount (2) needs gpu, which says of what: a name, or "any"
      Write:
        fn({ gpuCount: 2, gpu: "any" }, handler)"
    `);
    expect(await inFn("{ gpu: [], gpuCount: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: gpuCount (2) needs gpu, which says of what: a name, or "any"
      Write:
        fn({ gpu: "any", gpuCount: 2 }, handler)"
    `);
    expect(await inFn("{ allow: ['example.com'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: allow needs network: "isolated": only "isolated" has a list of what it reaches
      Write:
        fn({ allow: ["example.com"], network: "isolated" }, handler)"
    `);
    expect(await inFn("{ network: 'none', allow: ['example.com'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: network ("none") and allow contradict each other: only "isolated" has a list of what it reaches
      Write:
        fn({ network: "isolated", allow: ["example.com"] }, handler)"
    `);
    expect(await inFn("{ network: { mode: 'host', allow: ['example.com'] } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: network.mode ("host") and network.allow contradict each other: only "isolated" has a list of what it reaches
      Write:
        fn({ network: { mode: "isolated", allow: ["example.com"] } }, handler)"
    `);
    expect(await inFn("{ network: { mode: 'isolated', allow: ['a.example'] }, allow: ['b.example'] }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: network.allow and allow are two spellings of one option: give one of them
      Write:
        fn({ network: { mode: "isolated", allow: ["a.example"] } }, handler)"
    `);
  });

  test("contradictions name both options", async () => {
    expect(await inFn("{ minContainers: 2, maxContainers: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: minContainers (2) is above maxContainers (1)
      Write:
        fn({ minContainers: 2, maxContainers: 2 }, handler)"
    `);
    expect(await inFn("{ scaledownWindow: 10, keepWarmSeconds: 20 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: scaledownWindow and keepWarmSeconds are two spellings of one option: give one of them
      Write:
        fn({ scaledownWindow: 10 }, handler)"
    `);
    expect(await inFn("{ autoscaler: new QueueDepthAutoscaler({ maxContainers: 3 }), minContainers: 1 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: autoscaler and minContainers contradict each other: say it in one place
      Write:
        fn({ minContainers: 1, maxContainers: 3 }, handler)"
    `);
    expect(await inFn("{ singleUse: true, concurrency: 4 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: singleUse and concurrency (4) contradict each other: a container for one input holds one
      Write:
        fn({ singleUse: true }, handler)"
    `);
    expect(await inFn("{ singleUse: true, workers: 2 }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: singleUse and workers (2) contradict each other: a container for one input needs one worker
      Write:
        fn({ singleUse: true }, handler)"
    `);
    expect(await inFn("{ concurrency: 2, batch: { maxBatchSize: 4, wait: '5ms' } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: concurrency (2) is below batch.maxBatchSize (4): no batch could ever fill
      Write:
        fn({ concurrency: 4, batch: { maxBatchSize: 4, wait: "5ms" } }, handler)"
    `);
    expect(await inFn("{ concurrency: { max: 2, target: 4 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: concurrency.target (4) is above concurrency.max (2)
      Write:
        fn({ concurrency: { max: 4, target: 4 } }, handler)"
    `);
    expect(await inFn("{ batch: { maxBatchSize: 4, wait: '5ms' } }", "async function* (xs) { yield xs; }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: batch and a generator contradict each other: a batch handler returns a list, one result for each input
      Write:
        fn({}, handler)"
    `);
    expect(await inFn("{ retries: { initialDelay: 10, maxDelay: 5 } }")).toMatchInlineSnapshot(`
      "invalid_option: fn at <site>: retries.initialDelay (10) is above retries.maxDelay (5)
      Write:
        fn({ retries: { initialDelay: 10, maxDelay: 10 } }, handler)"
    `);
  });

  test("missing arguments are told with the corrected code", async () => {
    expect(await mistakeOf(`import { fn } from "samovar"; export const f = fn((x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: fn at <site>: The options come first, then the handler
      Write:
        fn({}, handler)"
    `);
    expect(await mistakeOf(`import { endpoint } from "samovar"; export const f = endpoint({ cpu: 1 });`)).toMatchInlineSnapshot(`
      "invalid_definition: endpoint at <site>: The handler is undefined, but it takes a function
      Write:
        endpoint({ cpu: 1 }, async (input, ctx) => { … })"
    `);
    expect(await mistakeOf(`import { App } from "samovar"; new App("my app", { cpuz: 1 });`)).toMatchInlineSnapshot(`
      "invalid_definition: new App at <site> has 2 mistakes:
        - "my app" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit
        - Unknown option "cpuz": did you mean "cpu"?
      Write:
        new App("my-app", { cpu: 1 })"
    `);
    expect(await mistakeOf(`import { App } from "samovar"; new App("app", { onStart: () => 1 });`)).toMatchInlineSnapshot(`
      "invalid_option: new App at <site>: Unknown option "onStart": it belongs to a function, not to the app
      Write:
        new App("app")"
    `);
  });

  test("an app's defaults that contradict a function's options are told when both are known", async () => {
    expect(await mistakeOf(`import { App, fn } from "samovar"; export const f = fn({ singleUse: true }, (x) => x); new App("late", { concurrency: 4 });`))
      .toMatchInlineSnapshot(`
        "invalid_option: f, with the defaults of its app: fn at <site>: singleUse and concurrency (4) contradict each other: a container for one input holds one
        Write:
          fn({ singleUse: true }, handler)"
      `);
    expect(
      await mistakeOf(
        `import { App } from "samovar"; const app = new App("early", { concurrency: 4 }); export const f = app.fn({ singleUse: true }, (x) => x);`,
      ),
    ).toMatchInlineSnapshot(`
      "invalid_option: app.fn at <site>: singleUse and concurrency (4) contradict each other: a container for one input holds one
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
