import { afterEach, beforeEach, expect, test } from "vitest";
import { createPools, type PoolsUnderTest } from "./testing/pools.fixture.ts";

let at: PoolsUnderTest;
beforeEach(() => void (at = createPools()));
afterEach(() => at.dispose());

test("a raised floor starts containers at once, a lowered one lets idle ones go after their window", async () => {
  const pool = at.pool("work", { scaledownWindowMs: 10_000 });
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(0);
  pool.scale({ minContainers: 3 });
  await at.settle();
  expect(pool.readyContainers).toBe(3);
  await at.advance(20_000);
  expect(pool.readyContainers).toBe(3);
  pool.scale({ minContainers: 1 });
  await at.settle();
  expect(pool.readyContainers).toBe(1);
});

test("a lowered ceiling drains what is beyond it: idle ones first, busy ones when they are done", async () => {
  const pool = at.pool("work", { maxContainers: 3, minContainers: 3 });
  await at.settle();
  const calls = [at.call(pool), at.call(pool)];
  await at.settle();
  expect([pool.readyContainers, pool.busyContainers]).toEqual([3, 2]);
  pool.scale({ minContainers: 0, maxContainers: 1 });
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(2);
  expect(pool.info().containers).toEqual({ starting: 0, ready: 1, draining: 1 });
  for (const container of at.containersOf("work")) container.finish();
  await at.settle();
  expect(calls.map((call) => call.state)).toEqual(["done", "done"]);
  expect(at.containersOf("work")).toHaveLength(1);
});

test("what a change leaves out stays, also from an earlier change; null lifts the ceiling", async () => {
  const pool = at.pool("work", { maxContainers: 1 }, { scaling: { maxContainers: 4 } });
  pool.scale({ minContainers: 4 });
  await at.settle();
  expect(pool.readyContainers).toBe(4);
  pool.scale({ maxContainers: null });
  pool.scale({ minContainers: 6 });
  await at.settle();
  expect(pool.readyContainers).toBe(6);
});

test("a floor above the ceiling is refused with both, and nothing changes", async () => {
  const pool = at.pool("work", { maxContainers: 2 });
  expect(() => pool.scale({ minContainers: 3 })).toThrow(
    expect.objectContaining({ code: "invalid_option", message: "minContainers is 3 and maxContainers is 2: lower the floor, or raise the ceiling" }),
  );
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(0);
});

test("a pool without a floor keeps none, until it is given one", async () => {
  const pool = at.pool("work", { minContainers: 2 }, { floor: "none" });
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(0);
  pool.setFloor("kept");
  await at.settle();
  expect(pool.readyContainers).toBe(2);
  pool.setFloor("none");
  await at.advance(60_001);
  expect(at.containersOf("work")).toHaveLength(0);
});
