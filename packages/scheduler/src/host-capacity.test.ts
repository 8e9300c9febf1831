import type { GpuDevice } from "@samovar/protocol";
import { afterEach, describe, expect, test } from "vitest";
import { createPools, type PoolsUnderTest } from "./testing/pools.fixture.ts";

let at: PoolsUnderTest;
afterEach(() => at.dispose());

/** Room for four containers of one core and 512 MiB. */
const FOUR = { memoryMib: 2_560, cpuMillis: 1_000 };
const T4S: GpuDevice[] = ["0", "1"].map((id) => ({ id, name: "T4", memoryMib: 16_384 }));
const counts = (): Record<string, number> => {
  const byName: Record<string, number> = {};
  for (const { spec } of at.containers.values()) byName[spec.functionName] = (byName[spec.functionName] ?? 0) + 1;
  return byName;
};

describe("a full host", () => {
  test("the longest idle container gives way, whosever it is, and says so", async () => {
    at = createPools(FOUR);
    for (const name of ["old", "young"]) {
      const pool = at.pool(name);
      const calls = [at.call(pool), at.call(pool)];
      await at.settle();
      for (const container of at.containersOf(name)) container.finish();
      await at.advance(1_000);
      expect(calls.map(({ state }) => state)).toEqual(["done", "done"]);
    }
    expect(counts()).toEqual({ old: 2, young: 2 });
    const pool = at.pools.get("old")!;
    const [first] = pool.containers;
    const late = at.pool("late");
    const call = at.call(late);
    expect(late.info().reason).toMatch(/^the host is full: needs 512 MiB of memory, 0 of 2048 MiB are free/);
    await at.settle();
    expect([call.state, counts()]).toEqual(["running", { old: 1, young: 2, late: 1 }]);
    expect([first!.state, first!.stopReason]).toEqual(["ended", "room"]);
  });

  test("a floor is never taken, and what waits says who has the room", async () => {
    at = createPools(FOUR);
    const kept = at.pool("kept", { minContainers: 3 });
    const busy = at.pool("busy");
    const late = at.pool("late", { queueTimeoutMs: 30_000 });
    await at.settle();
    at.call(busy);
    await at.settle();
    const waiting = at.call(late);
    await at.settle();
    expect(counts()).toEqual({ kept: 3, busy: 1 });
    const reason =
      "the host is full: needs 512 MiB of memory, 0 of 2048 MiB are free and needs 1 core, 0 of 4 (as many as this host counts) are free; " +
      "1 container of other functions is busy; 3 containers of other functions are kept by minContainers";
    expect(late.info()).toMatchObject({ state: "idle", reason, pending: 1 });
    at.call(late);
    await at.advance(30_000);
    expect(waiting.error).toMatchObject({
      code: "no_capacity",
      message: `No container of late had room within 30 s (queueTimeout): ${reason}`,
      fields: { reason, waitedMs: 30_000, queued: 2 },
    });
    expect(kept.readyContainers).toBe(3);
  });

  test("room that comes is pushed to who waits", async () => {
    at = createPools(FOUR);
    const busy = at.pool("busy");
    const calls = Array.from({ length: 4 }, () => at.call(busy));
    await at.settle();
    for (let i = 0; i < 3; i++) await at.settle();
    expect(counts()).toEqual({ busy: 4 });
    const late = at.call(at.pool("late"));
    await at.settle();
    expect(late.state).toBe("waiting");
    at.containersOf("busy")[0]!.finish();
    await at.settle();
    expect(late.state).toBe("running");
    expect(calls.filter((call) => call.state === "running")).toHaveLength(3);
  });

  test("who waits is served in turn, one container each", async () => {
    at = createPools(FOUR);
    const busy = at.pool("busy", { concurrencyMax: 1 });
    for (let i = 0; i < 4; i++) at.call(busy);
    for (let i = 0; i < 3; i++) await at.settle();
    const many = at.pool("many");
    for (let i = 0; i < 5; i++) at.call(many);
    const one = at.call(at.pool("one"));
    await at.settle();
    at.containersOf("busy")[0]!.finish();
    at.containersOf("busy")[1]!.finish();
    await at.settle();
    expect(counts()).toEqual({ busy: 2, many: 1, one: 1 });
    expect(one.state).toBe("running");
  });

  test("who needs much is passed for ten seconds and then no more", async () => {
    at = createPools(FOUR);
    const small = at.pool("small", { minContainers: 0 });
    const held = [at.call(small), at.call(small), at.call(small)];
    for (let i = 0; i < 3; i++) await at.settle();
    const large = at.call(at.pool("large", { memoryRequestMib: 1_536, cpuRequestMillis: 1_000 }));
    await at.settle();
    const passing = at.call(at.pool("passing"));
    await at.settle();
    expect([large.state, passing.state]).toEqual(["waiting", "running"]);
    await at.advance(10_000);
    const later = at.call(at.pool("later"));
    at.containersOf("small")[0]!.finish();
    at.containersOf("passing")[0]!.finish();
    await at.settle();
    expect([large.state, later.state]).toEqual(["waiting", "waiting"]);
    expect(counts()).toEqual({ small: 2 });
    at.containersOf("small")[0]!.finish();
    await at.settle();
    expect([large.state, later.state]).toEqual(["running", "waiting"]);
    expect(held.filter(({ state }) => state === "done")).toHaveLength(2);
  });

  test("a pool that is never idle gives a turn to one that has waited ten seconds for its first container", async () => {
    at = createPools({ memoryMib: 640, cpuMillis: 1_000 });
    const greedy = at.pool("greedy");
    for (let i = 0; i < 10; i++) at.call(greedy);
    await at.settle();
    const late = at.call(at.pool("late"));
    for (let i = 0; i < 3; i++) {
      at.containersOf("greedy")[0]!.finish();
      await at.advance(3_000);
    }
    expect(late.state).toBe("waiting");
    await at.advance(1_000);
    at.containersOf("greedy")[0]!.finish();
    await at.settle();
    expect(late.state).toBe("running");
    expect(counts()).toEqual({ late: 1 });
    // And it goes on when that one is idle again.
    at.containersOf("late")[0]!.finish();
    await at.settle();
    expect(counts()).toEqual({ greedy: 1 });
  });

  test("a floor that the host can't hold keeps nobody waiting for more than it has", async () => {
    at = createPools({ ...FOUR, gpus: T4S });
    const held = at.call(at.pool("held", { memoryRequestMib: 256 }));
    await at.settle();
    const greedy = at.pool("greedy", { minContainers: 100, memoryRequestMib: 768, cpuRequestMillis: 100 });
    await at.advance(10_000);
    expect([counts(), greedy.info().reason]).toEqual([
      { held: 1, greedy: 2 },
      "the host is full: needs 768 MiB of memory, 256 of 2048 MiB are free; 2 containers of its own are kept by minContainers; 1 container of other functions is busy",
    ]);
    const small = at.call(at.pool("small", { memoryRequestMib: 256 }));
    await at.settle();
    expect([held.state, small.state]).toEqual(["running", "running"]);
  });

  test("containers that are only a buffer use free room and never make others go", async () => {
    at = createPools(FOUR);
    const first = at.pool("first", { bufferContainers: 3 });
    at.call(first);
    for (let i = 0; i < 4; i++) await at.settle();
    expect(counts()).toEqual({ first: 4 });
    const second = at.pool("second", { bufferContainers: 3 });
    at.call(second);
    for (let i = 0; i < 4; i++) await at.settle();
    expect(counts()).toEqual({ first: 3, second: 1 });
    expect([first.info().reason, second.info().reason]).toEqual([null, null]);
  });

  test("a container that ends makes room only when it has ended", async () => {
    at = createPools({ memoryMib: 640, cpuMillis: 1_000 });
    const first = at.pool("first");
    const held = at.call(first);
    await at.settle();
    const late = at.call(at.pool("late"));
    const container = [...first.containers][0]!;
    container.drain("stop", null);
    await at.settle();
    expect([late.state, at.capacity.free.memoryMib]).toEqual(["waiting", 0]);
    at.containersOf("first")[0]!.finish();
    await at.settle();
    expect([held.state, late.state]).toEqual(["done", "running"]);
  });

  test("a warm-up that finds no room says so when startupTimeout has passed", async () => {
    at = createPools(FOUR);
    at.pool("kept", { minContainers: 4 });
    await at.settle();
    const warming = at
      .pool("late", { startupTimeoutMs: 10_000 })
      .warmUp(1, new AbortController().signal)
      .catch((error: unknown) => error);
    await at.advance(12_000);
    expect(await warming).toMatchObject({
      code: "no_capacity",
      message: expect.stringMatching(/^0 of 1 containers of late could be started within 10 s: the host is full: /),
    });
  });
});

describe("GPUs", () => {
  test("are given whole, by id, and are free again when the container has ended", async () => {
    at = createPools({ gpus: T4S });
    const pool = at.pool("work", { gpu: ["A100", "T4"], gpuCount: 1 });
    for (let i = 0; i < 3; i++) at.call(pool);
    for (let i = 0; i < 3; i++) await at.settle();
    expect(at.containersOf("work").map(({ spec }) => spec.gpus)).toEqual([["0"], ["1"]]);
    expect(pool.info().reason).toBe("the host is full: needs 1 GPU (A100 or T4), 0 of 2 are free; 2 containers of its own are busy");
    at.containersOf("work")[0]!.finish();
    await at.settle();
    expect(pool.info()).toMatchObject({ pending: 0, running: 2 });
  });

  test("an idle container with one gives way to who needs one", async () => {
    at = createPools({ gpus: T4S.slice(0, 1) });
    const first = at.pool("first", { gpu: ["any"], gpuCount: 1 });
    at.call(first);
    await at.settle();
    at.containersOf("first")[0]!.finish();
    await at.settle();
    const second = at.call(at.pool("second", { gpu: ["T4"], gpuCount: 1 }));
    await at.settle();
    expect(second.state).toBe("running");
    expect(at.containersOf("second")[0]!.spec.gpus).toEqual(["0"]);
    expect(counts()).toEqual({ second: 1 });
  });
});

describe("what could never fit", () => {
  test("is refused at once, with what it asks and what there is, and nothing is tried", async () => {
    at = createPools({ ...FOUR, gpus: T4S });
    const pool = at.pool("huge", { memoryRequestMib: 4_096, gpu: ["H100"], gpuCount: 1, minContainers: 1 });
    const call = at.call(pool);
    const why = "needs 4096 MiB of memory, this host has 2048 MiB for containers; needs 1 GPU (H100), this host has 2 T4";
    const fix = "Ask for less cpu, memory or GPUs, or use a larger machine";
    expect(call.error).toMatchObject({ code: "no_capacity", message: `huge can never run on this host: it ${why}`, fields: { reason: why, fix } });
    expect(pool.info()).toMatchObject({ state: "failing", reason: expect.stringContaining("can never run") });
    expect(at.capacity.describeImpossible(pool.spec.manifest.options)).toBe(why);
    expect(await pool.warmUp(1, new AbortController().signal).catch((error: unknown) => error)).toMatchObject({ code: "no_capacity" });
    await at.advance(60_000);
    expect(at.driver.calls).toEqual([]);
  });
});
