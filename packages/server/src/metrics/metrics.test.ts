import type { ContainerInfo, FunctionInfo, Phase, PhaseEvent } from "@samovar/protocol";
import type { FunctionEntry } from "@samovar/scheduler";
import { afterEach, describe, expect, test } from "vitest";
import { functionOf } from "../testing/app.fixture.ts";
import { toEndReason } from "./container-metrics.ts";
import { parseScrape, partOf, valuesOf, type ScrapedFamily } from "./metrics.fixture.ts";
import { Metrics } from "./metrics.ts";

const opened: Metrics[] = [];
afterEach(() => {
  for (const metrics of opened.splice(0)) metrics.dispose();
});

function open(functions: readonly FunctionInfo[] = [], maxFunctions?: number): Metrics {
  const metrics = new Metrics({ version: "1.2.3", driver: "fake", functions: () => functions, ...(maxFunctions === undefined ? {} : { maxFunctions }) });
  opened.push(metrics);
  return metrics;
}

const scrape = async (metrics: Metrics): Promise<ReadonlyMap<string, ScrapedFamily>> => parseScrape((await metrics.scrape()).body);

/** As the gateway knows a function; no two calls give the same object. */
function entryOf(name: string, version = 1): FunctionEntry {
  const entry = functionOf(name);
  return new Proxy(entry, { get: (_, key) => (key === "version" ? version : (Reflect.get(entry, key) as unknown)) });
}

const phase = (name: Phase, durationMs: number, outcome: PhaseEvent["outcome"] = "ok"): PhaseEvent => ({
  phase: name,
  workerIndex: 0,
  hook: null,
  startedAtMs: 0,
  durationMs,
  outcome,
  detail: null,
});

function container(id: string, changes: Partial<ContainerInfo> = {}): ContainerInfo {
  return {
    id,
    function: "predict",
    functionId: "fn_1",
    app: "app",
    version: 1,
    driver: "fake",
    state: "starting",
    reason: null,
    startedAtMs: 0,
    endedAtMs: null,
    pid: null,
    workers: 1,
    inputs: { running: 0, done: 0, failed: 0 },
    parameters: [],
    phases: [],
    ...changes,
  };
}

const info = (name: string, changes: Partial<FunctionInfo> = {}): FunctionInfo => ({ ...functionOf(name).info(), ...changes });

test("what the server is, and what its process uses", async () => {
  const metrics = open();
  expect((await metrics.scrape()).contentType).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = await scrape(metrics);
  expect(valuesOf(families, "samovar_build_info")).toEqual({ [`version=1.2.3,node=${process.versions.node},driver=fake`]: 1 });
  expect(valuesOf(families, "process_resident_memory_bytes")[""]).toBeGreaterThan(1_000_000);
  for (const name of ["process_cpu_seconds_total", "process_start_time_seconds", "nodejs_heap_size_used_bytes", "nodejs_eventloop_active_seconds_total"])
    expect(valuesOf(families, name)[""]).toBeGreaterThan(0);
  expect([families.get("process_cpu_seconds_total")!.type, families.get("process_resident_memory_bytes")!.type]).toEqual(["counter", "gauge"]);
});

describe("calls", () => {
  test("are counted by function, version and status, and timed by the status's first digit", async () => {
    const metrics = open();
    const [one, two] = [entryOf("predict", 1), entryOf("predict", 2)];
    metrics.callEnded(one, 200, 4);
    metrics.callEnded(one, 204, 40);
    metrics.callEnded(one, 500, 400_000);
    metrics.callEnded(two, 200, 1);
    metrics.callEnded(two, 0, 1);
    const families = await scrape(metrics);
    expect(valuesOf(families, "samovar_calls_total")).toEqual({
      "app=app,function=predict,version=1,status=200": 1,
      "app=app,function=predict,version=1,status=204": 1,
      "app=app,function=predict,version=1,status=500": 1,
      "app=app,function=predict,version=2,status=200": 1,
      "app=app,function=predict,version=2,status=500": 1,
    });
    expect(families.get("samovar_call_duration_seconds")!.type).toBe("histogram");
    const part = (labels: string, what: string) => partOf(families, "samovar_call_duration_seconds", `app=app,function=predict,${labels}`, what);
    const ok = ["le=0.0025", "le=0.005", "le=0.025", "le=0.05", "le=300", "le=+Inf", "sum"].map((what) => part("version=1,status=2xx", what));
    expect(ok).toEqual([0, 1, 1, 2, 2, 2, 0.044]);
    expect([part("version=1,status=5xx", "le=300"), part("version=1,status=5xx", "le=+Inf")]).toEqual([0, 1]);
    expect(part("version=2,status=2xx", "le=0.001")).toBe(1);
  });

  test("of a function that was deleted and deployed again go on in one series", async () => {
    const metrics = open();
    for (const entry of [entryOf("predict"), entryOf("predict")]) metrics.callEnded(entry, 200, 1);
    expect(valuesOf(await scrape(metrics), "samovar_calls_total")).toEqual({ "app=app,function=predict,version=1,status=200": 2 });
  });

  test("of more functions than have series of their own are told together, and none is lost", async () => {
    const metrics = open([], 2);
    const entries = ["a", "b", "c", "d"].map((name) => entryOf(name));
    for (const entry of entries) metrics.callEnded(entry, 200, 1);
    metrics.callEnded(entries[2]!, 200, 1);
    metrics.callEnded(entries[0]!, 404, 1);
    const families = await scrape(metrics);
    expect(valuesOf(families, "samovar_calls_total")).toEqual({
      "app=app,function=c,version=1,status=200": 2,
      "app=app,function=a,version=1,status=404": 1,
      "app=,function=other,version=,status=200": 3,
    });
    expect(valuesOf(families, "samovar_call_duration_seconds")["app=,function=other,version=,status=2xx"]).toBe(3);
  });
});

describe("containers", () => {
  test("each phase is counted once, however often a container is told of", async () => {
    const metrics = open();
    const phases = [phase("create", 80), phase("load", 20), phase("ready", 110)];
    metrics.containerChanged(container("ct_1"));
    for (let known = 1; known <= 3; known++)
      for (const _ of [1, 2]) metrics.containerChanged(container("ct_1", { phases: phases.slice(0, known), state: known === 3 ? "ready" : "starting" }));
    const ended = container("ct_1", { phases: [...phases, phase("stop", 5, "failed"), phase("exit", 0)], state: "ended", reason: "idle", endedAtMs: 1 });
    for (const _ of [1, 2]) metrics.containerChanged(ended);
    const families = await scrape(metrics);
    expect(valuesOf(families, "samovar_container_phase_seconds")).toEqual({
      "app=app,function=predict,phase=create,outcome=ok": 1,
      "app=app,function=predict,phase=load,outcome=ok": 1,
      "app=app,function=predict,phase=ready,outcome=ok": 1,
      "app=app,function=predict,phase=stop,outcome=failed": 1,
      "app=app,function=predict,phase=exit,outcome=ok": 1,
    });
    const create = ["le=0.05", "le=0.1", "sum"].map((what) =>
      partOf(families, "samovar_container_phase_seconds", "app=app,function=predict,phase=create,outcome=ok", what),
    );
    expect(create).toEqual([0, 1, 0.08]);
    expect(valuesOf(families, "samovar_container_starts_total")).toEqual({ "app=app,function=predict,outcome=ready": 1 });
    expect(valuesOf(families, "samovar_container_ends_total")).toEqual({ "app=app,function=predict,reason=idle": 1 });
  });

  test("a start ends once: ready, failed, stopped, or with the hooks that it was for", async () => {
    const metrics = open();
    const run = (id: string, last: Partial<ContainerInfo>): void => {
      metrics.containerChanged(container(id));
      metrics.containerChanged(container(id, { ...last, endedAtMs: 1 }));
    };
    run("ct_1", { state: "failed", reason: "load: Cannot find module" });
    run("ct_2", { state: "ended", reason: "scale-down" });
    run("ct_3", { state: "ended", reason: "done", phases: [phase("create", 1), phase("deploy", 1)] });
    run("ct_4", { state: "failed", reason: "onBuild: no", phases: [phase("build", 1, "failed")] });
    run("ct_5", { state: "ended", reason: "oom", phases: [phase("ready", 1)] });
    const families = await scrape(metrics);
    expect(valuesOf(families, "samovar_container_starts_total")).toEqual({
      "app=app,function=predict,outcome=failed": 2,
      "app=app,function=predict,outcome=stopped": 1,
      "app=app,function=predict,outcome=hooks": 1,
      "app=app,function=predict,outcome=ready": 1,
    });
    expect(valuesOf(families, "samovar_container_ends_total")).toEqual({
      "app=app,function=predict,reason=start-failed": 2,
      "app=app,function=predict,reason=scale-down": 1,
      "app=app,function=predict,reason=done": 1,
      "app=app,function=predict,reason=oom": 1,
    });
  });

  test.each([
    ["failed", "onStart: whatever it said", "start-failed"],
    ["ended", "new-version", "new-version"],
    ["ended", "exit 3", "exit"],
    ["ended", "SIGSEGV", "signal"],
    ["ended", "killed", "signal"],
    ["ended", "oom", "oom"],
    ["ended", "lost", "lost"],
    ["ended", "stopped by hand", "other"],
    ["ended", "Stop hooks did not end within 30 s", "other"],
    ["ended", null, "other"],
  ])("one that %s because of %j is counted as %s", (state, reason, expected) => {
    expect(toEndReason({ state, reason })).toBe(expected);
  });

  test("of more functions than have series of their own are told together", async () => {
    const metrics = open([], 1);
    for (const name of ["a", "b", "c"]) {
      metrics.containerChanged(container(name, { function: name }));
      metrics.containerChanged(container(name, { function: name, phases: [phase("ready", 1)], state: "ended", reason: "idle", endedAtMs: 1 }));
    }
    const families = await scrape(metrics);
    expect(valuesOf(families, "samovar_container_ends_total")).toEqual({ "app=app,function=c,reason=idle": 1, "app=,function=other,reason=idle": 2 });
    expect(valuesOf(families, "samovar_container_phase_seconds")).toEqual({
      "app=app,function=c,phase=ready,outcome=ok": 1,
      "app=,function=other,phase=ready,outcome=ok": 2,
    });
  });
});

describe("pools", () => {
  const busy = { containers: { starting: 1, ready: 2, draining: 3 }, pending: 4, running: 5 };

  test("are told as they are when asked", async () => {
    const families = await scrape(open([info("predict", { ...busy, state: "failing", version: 2 })]));
    const labels = "app=app,function=predict,version=2";
    expect(valuesOf(families, "samovar_containers")).toEqual({
      [`${labels},state=starting`]: 1,
      [`${labels},state=ready`]: 2,
      [`${labels},state=draining`]: 3,
    });
    expect([valuesOf(families, "samovar_inputs_pending"), valuesOf(families, "samovar_inputs_running"), valuesOf(families, "samovar_pool_failing")]).toEqual([
      { [labels]: 4 },
      { [labels]: 5 },
      { [labels]: 1 },
    ]);
  });

  test("of one name and version, as in two sessions of one file, are one", async () => {
    const families = await scrape(open([info("predict", busy), info("predict", busy)]));
    expect(valuesOf(families, "samovar_inputs_pending")).toEqual({ "app=app,function=predict,version=1": 8 });
  });

  test("beyond the bound are told together, the least busy ones", async () => {
    const families = await scrape(open([info("a"), info("b", busy), info("c", { pending: 1 }), info("d", { pending: 2, state: "failing" })], 1));
    expect(valuesOf(families, "samovar_inputs_pending")).toEqual({ "app=app,function=b,version=1": 4, "app=,function=other,version=": 3 });
    expect(valuesOf(families, "samovar_pool_failing")).toEqual({ "app=app,function=b,version=1": 0, "app=,function=other,version=": 1 });
  });
});

test("the event loop's delay is told from the second scrape on, and not after the end", async () => {
  const metrics = open();
  const lag = async (): Promise<number | undefined> => valuesOf(await scrape(metrics), "nodejs_eventloop_lag_max_seconds")[""];
  expect(await lag()).toBeUndefined();
  let seen: number | undefined;
  while (seen === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    seen = await lag();
  }
  expect(seen).toBeGreaterThanOrEqual(0);
  metrics.dispose();
  metrics.dispose();
  expect(await lag()).toBeUndefined();
});

test("attempts of tasks are counted by where they left the task; only the first one's wait is the task's", async () => {
  const metrics = open();
  const end = { app: "shop", function: "resize" };
  metrics.taskAttemptEnded({ ...end, status: "RETRY", waitedMs: 20, ranMs: 5 });
  metrics.taskAttemptEnded({ ...end, status: "COMPLETE", waitedMs: null, ranMs: 7 });
  const families = await scrape(metrics);
  expect(valuesOf(families, "samovar_task_attempts_total")).toEqual({
    "app=shop,function=resize,status=RETRY": 1,
    "app=shop,function=resize,status=COMPLETE": 1,
  });
  expect(valuesOf(families, "samovar_task_wait_seconds")).toEqual({ "app=shop,function=resize": 1 });
  expect(valuesOf(families, "samovar_task_attempt_seconds")).toEqual({ "app=shop,function=resize": 2 });
});
