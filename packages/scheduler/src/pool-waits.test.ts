import { afterEach, expect, test } from "vitest";
import { runHooks, type HookRunSpec } from "./hook-run.ts";
import { createPools, type PoolsUnderTest } from "./testing/pools.fixture.ts";

let at: PoolsUnderTest;
afterEach(() => at.dispose());

/** Room for one container. */
const ONE = { memoryMib: 640, cpuMillis: 1_000 };

function hooksOf(under: PoolsUnderTest, changes: Partial<HookRunSpec> = {}): HookRunSpec {
  const { manifest, code, load } = under.pool("hooked", { startupTimeoutMs: 20_000 }).spec;
  return { containerId: "ctr_hooks" as HookRunSpec["containerId"], mode: "deploy", manifest, code, load, ...changes };
}

test("an input that waits behind one that takes unusually long gets a container of its own", async () => {
  at = createPools();
  const pool = at.pool("work", { timeoutMs: null });
  for (let i = 0; i < 3; i++) {
    at.call(pool);
    await at.settle();
    at.containersOf("work")[0]!.finish();
    await at.advance(1_000);
  }
  const long = at.call(pool);
  const short = at.call(pool);
  await at.settle();
  expect([long.state, short.state, pool.info().reason]).toEqual([
    "running",
    "waiting",
    "all slots of its container are taken, and will be free before another container could be ready",
  ]);
  await at.advance(10);
  expect([long.state, short.state]).toEqual(["running", "running"]);
});

test("a buffer is there while inputs come, and goes when none came for the window", async () => {
  at = createPools();
  const pool = at.pool("work", { bufferContainers: 2, scaledownWindowMs: 10_000 });
  for (let i = 0; i < 3; i++) {
    at.call(pool);
    await at.settle();
    at.containersOf("work")[0]!.finish();
    await at.advance(9_000);
    expect(pool.readyContainers).toBeGreaterThanOrEqual(2);
  }
  at.call(pool);
  await at.settle();
  expect(pool.readyContainers).toBe(3);
  for (const container of at.containersOf("work")) container.finish();
  await at.advance(9_999);
  expect(pool.readyContainers).toBeGreaterThanOrEqual(2);
  await at.advance(2);
  expect(pool.readyContainers).toBe(0);
});

test("what is far more than is needed goes after a quarter of the window, the last one after all of it", async () => {
  at = createPools();
  const pool = at.pool("work", { scaledownWindowMs: 60_000 });
  for (let i = 0; i < 6; i++) at.call(pool);
  for (let i = 0; i < 3; i++) await at.settle();
  for (const container of at.containersOf("work")) container.finish();
  await at.advance(14_999);
  expect(pool.readyContainers).toBe(6);
  await at.advance(1);
  expect(pool.readyContainers).toBe(1);
  await at.advance(44_999);
  expect(pool.readyContainers).toBe(1);
  await at.advance(2);
  expect(pool.readyContainers).toBe(0);
});

test("a pool that fails says when it tries again, and a start that goes on where it stands", async () => {
  at = createPools();
  at.autoReady = false;
  const pool = at.pool("work", { minContainers: 1 });
  await at.settle();
  expect(pool.info()).toMatchObject({ state: "starting", reason: "waiting for the first container to start (phase load)" });
  at.containersOf("work")[0]!.fail("no model here");
  await at.settle();
  expect(pool.info().reason).toBe("load: no model here (the next try is in 1 s)");
});

test("hooks wait for room, others give way for them, and they give it back", async () => {
  at = createPools(ONE);
  const pool = at.pool("work");
  at.call(pool);
  await at.settle();
  const running = runHooks(at.services.host, hooksOf(at)).catch((error: unknown) => error);
  await at.settle();
  expect([...at.containers.keys()]).not.toContain("ctr_hooks");
  at.containersOf("work")[0]!.finish();
  await at.settle();
  expect([...at.containers.keys()]).toEqual(["ctr_hooks"]);
  expect(at.capacity.free.memoryMib).toBe(0);
  at.containers.get("ctr_hooks")!.done("a release");
  expect(await running).toBe("a release");
  expect(at.capacity.free).toEqual(at.capacity.total);
});

test("hooks that find no room are no_capacity after startupTimeout; given up, they end with the signal's reason", async () => {
  at = createPools(ONE);
  const pool = at.pool("work", { minContainers: 1 });
  await at.settle();
  expect(pool.readyContainers).toBe(1);
  const abort = new AbortController();
  const late = runHooks(at.services.host, hooksOf(at)).catch((error: unknown) => error);
  const given = runHooks(at.services.host, hooksOf(at, { signal: abort.signal })).catch((error: unknown) => error);
  await at.settle();
  abort.abort(new Error("given up"));
  expect(await given).toMatchObject({ message: "given up" });
  await at.advance(20_000);
  expect(await late).toMatchObject({
    code: "no_capacity",
    message: expect.stringMatching(
      /^The host had no room for the hooks of hooked within 20 s: the host is full: .*; 1 container of other functions is kept by minContainers$/,
    ),
  });
  expect(pool.readyContainers).toBe(1);
});

test("a failing pool tries on when its time has come though the host was full then, and heals", async () => {
  at = createPools(ONE);
  at.autoReady = false;
  const pool = at.pool("work", {}, { startPolicy: { failuresUntilFailing: 1, retries: true } });
  const call = at.call(pool);
  await at.settle();
  at.containersOf("work")[0]!.fail("not yet");
  await at.settle();
  expect([call.error?.code, pool.info().state]).toEqual(["start_failed", "failing"]);
  at.autoReady = true;
  const other = at.call(at.pool("other"));
  await at.advance(5_000);
  expect([other.state, pool.info().state]).toEqual(["running", "failing"]);
  at.containersOf("other")[0]!.finish();
  await at.settle();
  expect(pool.info()).toMatchObject({ state: "ready", reason: null });
});

test("containers that are ready go on serving while further ones fail to start", async () => {
  at = createPools();
  const pool = at.pool("work", { minContainers: 1, timeoutMs: null }, { startPolicy: { failuresUntilFailing: 1, retries: true } });
  await at.settle();
  at.autoReady = false;
  const calls = [at.call(pool), at.call(pool)];
  await at.settle();
  at.containersOf("work")[1]!.fail("the database takes no more connections");
  await at.settle();
  expect(pool.info()).toMatchObject({ state: "ready", reason: "load: the database takes no more connections (the next try is in 1 s)", pending: 1 });
  at.containersOf("work")[0]!.finish();
  await at.settle();
  at.containersOf("work")[0]!.finish();
  await at.settle();
  expect(calls.map(({ state }) => state)).toEqual(["done", "done"]);
});

test("a container whose pool's next task is about to be ready does not give way; when none comes it does", async () => {
  at = createPools(ONE);
  const keyed = at.pool("keyed", { timeoutMs: null });
  at.call(keyed);
  await at.settle();
  const source = { waiting: 0, expectsMore: true, waitsSinceMs: 0, take: () => null, startFailed() {}, detached() {}, wake() {} };
  keyed.attach(source);
  const other = at.pool("other", { timeoutMs: null });
  const waiting = at.call(other);
  at.containersOf("keyed")[0]!.finish();
  await at.settle();
  expect([keyed.readyContainers, waiting.state]).toEqual([1, "waiting"]);
  source.expectsMore = false;
  keyed.sourceChanged();
  await at.settle();
  expect([keyed.readyContainers, waiting.state]).toEqual([0, "running"]);
});
