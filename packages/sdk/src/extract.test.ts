import { DEFAULT_OPTIONS, KIND_DEFAULTS } from "@samovar/protocol";
import { describe, expect, test } from "vitest";
import { loadApp, mistakeOf } from "./testing/load-app.fixture.ts";

describe("the manifest", () => {
  test("takes names from exports and fills in every default", async () => {
    const { extract } = await loadApp(`
      import { endpoint, fn } from "samovar";
      export const hello = endpoint({}, () => "hi");
      export const renamed = fn({ name: "other", timeout: -1, scaledownWindow: -1, startupTimeout: 10 }, async function* () { yield 1; });
      export default async function main() {}
    `);
    const manifest = extract();
    expect(manifest).toMatchObject({ manifestVersion: 1, app: "test-app", hasMain: true });
    expect(manifest.functions.map(({ name, kind, exportName }) => ({ name, kind, exportName }))).toEqual([
      { name: "hello", kind: "endpoint", exportName: "hello" },
      { name: "other", kind: "function", exportName: "renamed" },
    ]);
    expect(manifest.functions[0]!.options).toEqual(DEFAULT_OPTIONS);
    expect(manifest.functions[1]!.options).toEqual({
      ...DEFAULT_OPTIONS,
      timeoutMs: null,
      scaledownWindowMs: null,
      startupTimeoutMs: 10_000,
      queueTimeoutMs: 10_000,
    });
    expect(manifest.functions[1]!.handler).toEqual({ streaming: true, batch: null, inputSchema: null, outputSchema: null });
  });

  test("resolves every spelling of the options", async () => {
    const { extract } = await loadApp(`
      import { fn, QueueDepthAutoscaler } from "samovar";
      export const f = fn({
        cpu: { request: "500m", limit: 2 }, memory: "1.5Gi", env: ["A=1", "B=x=y"], timeout: "5m", stopGracePeriod: 5, queueTimeout: "500ms", drainTimeout: "1h",
        retries: { maxRetries: 2, initialDelay: 90, jitter: false, on: [RangeError] }, taskPolicy: { maxRetries: 5, timeout: 7 }, workers: 2, concurrency: { max: 8, target: 4 },
        maxInputsPerWorker: 10, autoscaler: new QueueDepthAutoscaler({ minContainers: 1, maxContainers: 3, tasksPerContainer: 9 }), bufferContainers: 1, keepWarmSeconds: 20,
        maxPendingTasks: 5, authorized: false, idempotent: true, headless: true, gpu: ["t4:2", "A100-80GB:2"], disk: "1.5Gi",
        network: "isolated", allow: ["10.0.0.0/8", "*.example.com"], ttl: "1h", keepResults: "30d", callbackUrl: "https://example.com/done?a=1",
      }, (x) => x);
    `);
    expect(extract().functions[0]!.options).toEqual({
      cpuMillis: 2_000,
      cpuRequestMillis: 500,
      memoryMib: 1_536,
      memoryRequestMib: 1_536,
      gpu: ["t4", "A100-80GB"],
      gpuCount: 2,
      diskMib: 1_536,
      network: { mode: "isolated", allow: ["10.0.0.0/8", "*.example.com"] },
      env: { A: "1", B: "x=y" },
      timeoutMs: 7_000,
      startupTimeoutMs: 300_000,
      stopGracePeriodMs: 5_000,
      queueTimeoutMs: 500,
      drainTimeoutMs: 3_600_000,
      retries: { maxRetries: 5, initialDelayMs: 90_000, backoff: 2, maxDelayMs: 90_000, jitter: false },
      workers: 2,
      concurrencyMax: 8,
      concurrencyTarget: 4,
      maxInputsPerWorker: 10,
      singleUse: false,
      minContainers: 1,
      maxContainers: 3,
      bufferContainers: 1,
      scaledownWindowMs: 20_000,
      tasksPerContainer: 9,
      maxPendingTasks: 5,
      taskLimit: 5,
      ttlMs: 3_600_000,
      keepResultsMs: 2_592_000_000,
      callbackUrl: "https://example.com/done?a=1",
      authorized: false,
      idempotent: true,
      headless: true,
    });
  });

  test("a task queue has its kind's defaults, under what it and its app say", async () => {
    const { extract } = await loadApp(`
      import { App, taskQueue } from "samovar";
      const app = new App("queues", { timeout: 9 });
      export const plain = taskQueue((x) => x);
      export const own = app.taskQueue({ retries: { maxRetries: 1, on: [RangeError] }, scaledownWindow: 5, maxPendingTasks: 7, taskPolicy: { ttl: -1 } }, (x) => x);
      export const batched = app.taskQueue({ batch: { maxBatchSize: 4, wait: 1 }, retries: { backoff: 3 } }, (xs) => xs);
    `);
    const { functions } = extract();
    expect(functions.map(({ kind, schedule }) => [kind, schedule])).toEqual([1, 2, 3].map(() => ["taskqueue", null]));
    const [plain, own, batched] = functions.map(({ options }) => options);
    expect(plain).toEqual({ ...DEFAULT_OPTIONS, ...KIND_DEFAULTS.taskqueue, timeoutMs: 9_000 });
    expect([own!.retries.maxRetries, own!.scaledownWindowMs, own!.maxPendingTasks, own!.ttlMs]).toEqual([1, 5_000, 7, null]);
    expect([batched!.retries.maxRetries, batched!.retries.backoff, batched!.concurrencyMax]).toEqual([3, 3, 4]);
  });

  test("a schedule says when it runs, and is skipped and made up for unless asked otherwise", async () => {
    const { extract } = await loadApp(`
      import { App, schedule } from "samovar";
      const app = new App("times");
      export const morning = app.schedule({ when: " 0 9 * * MON-FRI ", timezone: "Europe/Berlin" }, (ctx) => ctx.scheduledAt);
      export const often = schedule({ every: "5m", overlap: "queue", catchUp: "all", retries: 2 }, () => {});
      export const never = schedule({ when: "@daily", overlap: "allow", catchUp: false }, () => {});
      export const last = schedule({ when: "@daily", catchUp: true }, () => {});
    `);
    const { functions } = extract();
    expect(functions.map(({ kind, handler }) => [kind, handler!.streaming])).toEqual([1, 2, 3, 4].map(() => ["schedule", false]));
    expect(functions.map(({ schedule }) => schedule)).toEqual([
      { cron: "0 9 * * MON-FRI", everyMs: null, timezone: "Europe/Berlin", overlap: "skip", catchUp: "last" },
      { cron: null, everyMs: 300_000, timezone: null, overlap: "queue", catchUp: "all" },
      { cron: "@daily", everyMs: null, timezone: null, overlap: "allow", catchUp: "none" },
      { cron: "@daily", everyMs: null, timezone: null, overlap: "skip", catchUp: "last" },
    ]);
    expect(functions.map(({ options }) => options.retries.maxRetries)).toEqual([0, 2, 0, 0]);
  });

  test("an app's defaults stand under its functions' own options, wherever the app is made", async () => {
    const { extract } = await loadApp(`
      import { App, fn } from "samovar";
      export const before = fn({ keepWarmSeconds: 5, env: { B: "2" } }, () => 1);
      const app = new App("named", { cpu: 2, scaledownWindow: 90, env: ["A=1", "B=1"] });
      export const after = app.fn({ cpu: 4 }, () => 1);
    `);
    const manifest = extract();
    expect(manifest.app).toBe("named");
    expect(manifest.functions.map(({ options }) => [options.cpuMillis, options.scaledownWindowMs, options.env])).toEqual([
      [2_000, 5_000, { A: "1", B: "2" }],
      [4_000, 90_000, { A: "1", B: "1" }],
    ]);
  });

  test("GPUs, disk and network are resolved, a function's own above its app's", async () => {
    const { extract } = await loadApp(`
      import { App } from "samovar";
      const app = new App("defaults", { gpu: "A100", gpuCount: 2, disk: "1Gi", network: { mode: "isolated", allow: ["app.example"] } });
      export const plain = app.fn({}, () => 1);
      export const two = app.fn({ gpu: "T4:4", disk: 512, allow: ["10.0.0.0/8"] }, () => 1);
      export const listed = app.fn({ gpu: ["H100", "any"], network: "none" }, () => 1);
      export const none = app.fn({ gpu: [], network: { mode: "isolated" } }, () => 1);
    `);
    expect(extract().functions.map(({ options: { gpu, gpuCount, diskMib, network } }) => ({ gpu, gpuCount, diskMib, network }))).toEqual([
      { gpu: ["A100"], gpuCount: 2, diskMib: 1_024, network: { mode: "isolated", allow: ["app.example"] } },
      { gpu: ["T4"], gpuCount: 4, diskMib: 512, network: { mode: "isolated", allow: ["10.0.0.0/8"] } },
      { gpu: ["H100", "any"], gpuCount: 2, diskMib: 1_024, network: { mode: "none", allow: [] } },
      { gpu: [], gpuCount: 0, diskMib: 1_024, network: { mode: "isolated", allow: [] } },
    ]);
  });

  test("an app's list of what is reached gives way to a function that needs none", async () => {
    const { extract } = await loadApp(`
      import { App } from "samovar";
      const app = new App("defaults", { network: "isolated", allow: ["app.example"] });
      export const isolated = app.fn({ network: "isolated" }, () => 1);
      export const host = app.fn({ network: "host" }, () => 1);
      export const own = app.fn({ network: { mode: "isolated", allow: ["own.example"] } }, () => 1);
    `);
    expect(extract().functions.map(({ options }) => options.network)).toEqual([
      { mode: "isolated", allow: ["app.example"] },
      { mode: "host", allow: [] },
      { mode: "isolated", allow: ["own.example"] },
    ]);
  });

  test("a batch makes room for itself in each worker", async () => {
    const { extract } = await loadApp(`
      import { fn, cls, method } from "samovar";
      export const f = fn({ batch: { maxBatchSize: 16, wait: "10ms" } }, (xs) => xs);
      class Model { @method({ batch: { maxBatchSize: 4, wait: 1 } }) a(xs) { return xs; } @method() b() {} }
      export const model = cls(Model);
    `);
    const [f, model] = extract().functions;
    expect([f!.options.concurrencyMax, f!.options.concurrencyTarget, f!.handler!.batch]).toEqual([16, 16, { maxBatchSize: 16, waitMs: 10 }]);
    expect([model!.options.concurrencyMax, model!.methods.a!.batch]).toEqual([4, { maxBatchSize: 4, waitMs: 1_000 }]);
  });

  test("onBuild's cache key follows its text and its key, and nothing else", async () => {
    const keyOf = async (options: string): Promise<string> =>
      (await loadApp(`import { fn } from "samovar"; export const f = fn(${options}, () => 1);`)).extract().functions[0]!.hooks.onBuild[0]!.cacheKey;
    const plain = await keyOf("{ onBuild: () => 1 }");
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyOf("{ onBuild: () => 1, cpu: 2 }")).toBe(plain);
    expect(await keyOf("{ onBuild: { run: () => 1 } }")).toBe(plain);
    expect(await keyOf("{ onBuild: () => 2 }")).not.toBe(plain);
    expect(await keyOf('{ onBuild: { run: () => 1, key: ["v2"] } }')).not.toBe(plain);
  });

  test("hooks are told by their names", async () => {
    const { extract } = await loadApp(`
      import { fn } from "samovar";
      async function load() {}
      export const f = fn({ onBuild: { run: () => 1 }, onStart: [load, () => 1], onStop: () => 1 }, () => 1);
    `);
    const { hooks } = extract().functions[0]!;
    expect([hooks.onBuild[0]!.name, hooks.onStart.map((hook) => hook.name), hooks.onStop[0]!.name]).toEqual(["onBuild", ["load", "onStart[1]"], "onStop"]);
  });
});

describe("mistakes of a whole module", () => {
  test("a definition that is not exported", async () => {
    expect(await mistakeOf(`import { fn } from "samovar"; const f = fn({}, (x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: fn(…) at <site> is not exported, so that nothing could find it. Write:
        export const myFunction = fn({ … }, handler);"
    `);
    expect(await mistakeOf(`import { fn } from "samovar"; export default fn({}, (x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: fn(…) at <site> is the default export, which is the local entry point and gives it no name. Write:
        export const myFunction = fn({ … }, handler);"
    `);
    expect(await mistakeOf(`import { cls, method } from "samovar"; class Model { @method() run() {} } cls(Model, { name: "model" });`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: cls(Model) named "model" at <site> is not exported, so that nothing could find it. Write:
        export const model = cls(Model, { … });"
    `);
  });

  test("two names that clash", async () => {
    expect(
      await mistakeOf(`import { fn, endpoint } from "samovar"; export const run = fn({}, (x) => x); export const other = endpoint({ name: "Run" }, (x) => x);`),
    ).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: Two functions have the name "run", for names are compared in lower case ("Run"): run at <site> and other at <site>. Write:
        export const other = endpoint({ name: "Run2", … }, handler);"
    `);
  });

  test("a name that can't be", async () => {
    expect(await mistakeOf(`import { fn } from "samovar"; export const id = fn({}, (x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: The export id can't be a function's name: "id" is reserved: choose another name. Rename it, or give a name:
        export const id = fn({ name: "byId", … }, handler);"
    `);
    expect(await mistakeOf(`import { fn } from "samovar"; export const $run = fn({}, (x) => x);`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: The export $run can't be a function's name: "$run" is not a name: use letters, digits, - and _, at most 63, beginning with a letter or digit. Rename it, or give a name:
        export const $run = fn({ name: "run", … }, handler);"
    `);
  });

  test("two apps", async () => {
    expect(await mistakeOf(`import { App } from "samovar"; new App("one"); new App("two");`)).toMatchInlineSnapshot(`
      "invalid_definition: app.ts: A module has one app, but this one makes 2: new App("one") and new App("two"). Keep one, and put the other's functions under it or into a module of their own:
        const app = new App("one");"
    `);
  });

  test("several mistakes are told together", async () => {
    expect(await mistakeOf(`import { App, fn } from "samovar"; new App("one"); new App("two"); fn({}, (x) => x); export const id = fn({}, (x) => x);`))
      .toMatchInlineSnapshot(`
      "invalid_definition: app.ts has 3 mistakes:
        - A module has one app, but this one makes 2: new App("one") and new App("two"). Keep one, and put the other's functions under it or into a module of their own:
          const app = new App("one");
        - fn(…) at <site> is not exported, so that nothing could find it. Write:
          export const myFunction = fn({ … }, handler);
        - The export id can't be a function's name: "id" is reserved: choose another name. Rename it, or give a name:
          export const id = fn({ name: "byId", … }, handler);"
    `);
  });
});
