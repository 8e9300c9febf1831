import { expect, test } from "vitest";
import { canonicalJson } from "./canonical-json.ts";
import { FunctionRuntime, MAX_POOLS } from "./function-runtime.ts";
import type { InputSource, SourcedInput } from "./input-source.ts";
import type { Pool } from "./pool.ts";
import { createPools, requestOf, type PoolsUnderTest } from "./testing/pools.fixture.ts";
import type { FunctionManifest, TaskId } from "@samovar/protocol";

function runtimeOf(at: PoolsUnderTest, changes: Partial<FunctionManifest> = {}): FunctionRuntime {
  const { manifest, code, load, startPolicy } = at.pool("model").spec;
  const { parameters: _, ...ofFunction } = load;
  return new FunctionRuntime(
    {
      functionId: "fn_model" as FunctionRuntime["functionId"],
      name: "model",
      app: "app",
      version: 1,
      manifest: { ...manifest, ...changes },
      code,
      builtCode: new Map(),
      load: ofFunction,
      session: null,
      queuePrefix: "",
      development: false,
      startPolicy,
      keepsFloor: true,
    },
    at.services,
    () => {},
  );
}

test("equal constructor arguments have one key, however their fields are ordered", () => {
  expect(canonicalJson([{ b: 1, a: { d: 2, c: 3 } }, "x"])).toBe(canonicalJson([{ a: { c: 3, d: 2 }, b: 1 }, "x"]));
});

test("different constructor arguments have different keys", () => {
  expect(canonicalJson([["a", "b"]])).not.toBe(canonicalJson([["b", "a"]]));
  expect(canonicalJson(["1"])).not.toBe(canonicalJson([1]));
});

/** One task for each set of constructor arguments. */
class OneTask implements InputSource {
  state: "waiting" | "refused" | "taken" | "done" = "waiting";
  readonly #feed: (source: InputSource) => Pool;
  #pool: Pool | null = null;

  constructor(feed: (source: InputSource) => Pool) {
    this.#feed = feed;
  }

  get waiting(): number {
    return this.state === "waiting" || this.state === "refused" ? 1 : 0;
  }

  readonly expectsMore = false;
  readonly waitsSinceMs = 0;

  take(): SourcedInput {
    this.state = "taken";
    const done = (): void => void (this.state = "done");
    return {
      request: requestOf("tk_1" as TaskId),
      sink: { started() {}, result: done, head() {}, data: () => true, end() {}, error: done },
      attempt: 1,
      given() {},
      released() {},
    };
  }

  startFailed(): void {}

  detached(): void {
    this.#pool = null;
  }

  wake(): void {
    try {
      this.#pool ??= this.#feed(this);
      this.#pool.sourceChanged();
    } catch {
      this.state = "refused";
    }
  }
}

test("tasks of more sets of constructor arguments than there may be pools are all done, when others are", { timeout: 120_000 }, async () => {
  const at = createPools({ memoryMib: 102_400, cpuMillis: 200_000 });
  const runtime = runtimeOf(at, { kind: "cls" });
  const tasks = Array.from({ length: MAX_POOLS + 40 }, (_, i) => new OneTask((source) => runtime.feed(`[${i}]`, source)));
  for (const task of tasks) task.wake();
  expect(tasks.filter(({ state }) => state === "refused")).toHaveLength(40);
  // Those that have room on the host are done, and give way to others of which some have no pool.
  const doneCount = (): number => tasks.filter(({ state }) => state === "done").length;
  await at.settle();
  for (let before = -1; doneCount() > before;) {
    before = doneCount();
    for (const container of [...at.containers.values()]) container.finish();
    await at.settle();
  }
  expect(doneCount()).toBe(tasks.length);
  await runtime.close("shutdown", 0);
  await at.dispose();
});

test("a public class keeps a floor for no arguments but those that its author named", async () => {
  const at = createPools();
  const warm = async (authorized: boolean): Promise<readonly string[]> => {
    const options = { ...at.pool("model").spec.manifest.options, minContainers: 1, scaledownWindowMs: 1_000, authorized };
    const runtime = runtimeOf(at, { kind: "cls", options, builds: [[], ["named"]] });
    for (const parameters of ["[]", '["named"]', '["any"]']) runtime.feed(parameters, new OneTask(() => null as never)).sourceChanged();
    await at.settle();
    for (const container of at.containers.values()) container.finish();
    await at.advance(10_000);
    runtime.activate({});
    await at.advance(10_000);
    const names = runtime.containers.map(({ plan }) => JSON.stringify(plan.load.parameters)).toSorted();
    await runtime.close("shutdown", 0);
    return names;
  };
  expect(await warm(false)).toEqual(['["named"]', "[]"]);
  expect(await warm(true)).toEqual(['["any"]', '["named"]', "[]"]);
  await at.dispose();
});
