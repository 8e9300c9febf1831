import { afterEach, beforeEach, expect, test } from "vitest";
import { createPools, type PoolsUnderTest } from "./testing/pools.fixture.ts";

const never = new AbortController().signal;
let at: PoolsUnderTest;
beforeEach(() => void (at = createPools()));
afterEach(() => at.dispose());

test("a warm-up starts all at once, whatever the demand, and resolves when so many are ready together", async () => {
  at.autoReady = false;
  const pool = at.pool("work");
  let warm = false;
  const warming = pool.warmUp(5, never).then(() => (warm = true));
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(5);
  for (const container of at.containersOf("work").slice(0, 4)) container.ready();
  await at.settle();
  expect([warm, pool.readyContainers, pool.busyContainers]).toEqual([false, 4, 0]);
  at.containersOf("work")[4]!.ready();
  await warming;
  expect(pool.readyContainers).toBe(5);
});

test("it asks for no more than the ceiling", async () => {
  const pool = at.pool("work", { maxContainers: 2 });
  await pool.warmUp(5, never);
  expect(pool.readyContainers).toBe(2);
});

test("what was brought up stays for the scale-down window, counted from when all of it was there, and then goes", async () => {
  at.autoReady = false;
  const pool = at.pool("work", { scaledownWindowMs: 10_000 });
  const warming = pool.warmUp(2, never);
  await at.settle();
  at.containersOf("work")[0]!.ready();
  await at.advance(60_000);
  expect(at.containersOf("work")).toHaveLength(2);
  at.containersOf("work")[1]!.ready();
  await warming;
  await at.advance(9_999);
  expect(pool.readyContainers).toBe(2);
  await at.advance(2);
  expect(at.containersOf("work")).toHaveLength(0);
});

test("the first start that fails rejects it, with the phase, the hook and the last lines, and nothing more is started for it", async () => {
  at.autoReady = false;
  const pool = at.pool("work");
  const warming = pool.warmUp(2, never).catch((error: unknown) => error);
  await at.settle();
  at.containersOf("work")[0]!.fail("no model here");
  expect(await warming).toMatchObject({
    code: "start_failed",
    message: expect.stringContaining("no model here"),
    fields: { phase: "start", hook: "load", lastLines: [] },
  });
  await at.advance(1_000);
  expect(at.containersOf("work").length).toBeLessThanOrEqual(1);
});

test("a pool whose starts failed is tried at once when it is warmed up", async () => {
  at.autoReady = false;
  const pool = at.pool("work", { minContainers: 1 });
  await at.settle();
  at.containersOf("work")[0]!.fail("not yet");
  await at.settle();
  expect(at.containersOf("work")).toHaveLength(0);
  at.autoReady = true;
  await pool.warmUp(1, never);
  expect(pool.info()).toMatchObject({ state: "ready", reason: null });
});

test("it ends with its signal's reason, with the pool, and at once where nothing is asked", async () => {
  at.autoReady = false;
  const pool = at.pool("work");
  await pool.warmUp(0, never);
  const abort = new AbortController();
  const given = pool.warmUp(1, abort.signal).catch((error: unknown) => error);
  const open = pool.warmUp(1, never).catch((error: unknown) => error);
  await at.settle();
  abort.abort(new Error("the deploy was given up"));
  expect(await given).toMatchObject({ message: "the deploy was given up" });
  await pool.close("stop", 0);
  expect(await open).toMatchObject({ code: "shutting_down" });
  expect(await pool.warmUp(1, never).catch((error: unknown) => error)).toMatchObject({ code: "shutting_down" });
});

test("a start that takes as long as it may says so itself", async () => {
  at.autoReady = false;
  const pool = at.pool("work", { startupTimeoutMs: 5_000 });
  const warming = pool.warmUp(1, never).catch((error: unknown) => error);
  await at.advance(5_000);
  await at.advance(5_000);
  expect(await warming).toMatchObject({ code: "start_failed", message: expect.stringContaining("within 5 s") });
});
