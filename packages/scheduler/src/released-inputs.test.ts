import { afterEach, beforeEach, expect, test } from "vitest";
import type { TaskId } from "@samovar/protocol";
import type { InputSource, SourcedInput } from "./input-source.ts";
import type { Pool } from "./pool.ts";
import { createPools, requestOf, type PoolsUnderTest } from "./testing/pools.fixture.ts";

let under: PoolsUnderTest;
let told: string[];

beforeEach(() => {
  under = createPools();
  told = [];
});
afterEach(async () => {
  for (const pool of under.pools.values()) for (const container of pool.containers) container.kill("the test is over");
  await under.dispose();
});

/** One input of a source, of which it is told what its pool tells. */
function feedOne(pool: Pool): void {
  const input: SourcedInput = {
    request: { ...requestOf("tk_1" as TaskId), headless: true },
    attempt: 1,
    given() {},
    released: () => told.push("released"),
    sink: {
      started: () => told.push("started"),
      result: () => told.push("result"),
      head() {},
      data: () => true,
      end() {},
      error: ({ error }) => told.push(error.code),
    },
  };
  const waiting = [input];
  const source: InputSource = {
    get waiting() {
      return waiting.length;
    },
    expectsMore: false,
    waitsSinceMs: 0,
    take: () => waiting.pop() ?? null,
    startFailed() {},
    detached() {},
    wake() {},
  };
  pool.attach(source);
  pool.sourceChanged();
}

const only = () => [...under.containers.values()][0]!;

/** Its only container runs the input, and its handler ignores its signal. */
async function poolWithDeafHandler(options: Parameters<PoolsUnderTest["pool"]>[1] = {}): Promise<Pool> {
  const pool = under.pool("work", { maxContainers: 1, ...options });
  feedOne(pool);
  await under.advance(0);
  only().ignoresSignals = true;
  return pool;
}

test("an input that was answered is released with its answer", async () => {
  const pool = under.pool("work", { maxContainers: 1 });
  feedOne(pool);
  await under.advance(0);
  only().finish();
  await under.advance(0);
  expect(told).toEqual(["started", "released", "result"]);
});

test("one that took too long is released when its handler has settled, not with its timeout", async () => {
  await poolWithDeafHandler({ timeoutMs: 1_000 });
  await under.advance(1_000);
  expect(told).toEqual(["started", "timeout"]);
  only().finish();
  await under.advance(0);
  expect(told).toEqual(["started", "timeout", "released"]);
});

test("one that takes too long in a container that drains has timed out, and is not given back", async () => {
  const pool = await poolWithDeafHandler({ timeoutMs: 1_000 });
  void pool.close("stop", 300_000);
  await under.advance(1_000);
  expect(told).toEqual(["started", "timeout"]);
});

test("one that is given back at the end of a drain is released when its handler has settled", async () => {
  const pool = await poolWithDeafHandler();
  void pool.close("stop", 1_000);
  await under.advance(1_000);
  expect(told).toEqual(["started", "drained"]);
  only().finish();
  await under.advance(0);
  expect(told).toEqual(["started", "drained", "released"]);
});

test("one that is given back is released with its worker, where that ends before", async () => {
  const pool = await poolWithDeafHandler();
  void pool.close("stop", 1_000);
  await under.advance(1_000);
  expect(told).toEqual(["started", "drained"]);
  for (const container of pool.containers) container.kill("a test's end");
  await under.advance(0);
  expect(told).toEqual(["started", "drained", "released"]);
});
