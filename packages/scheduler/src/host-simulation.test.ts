import type { GpuDevice } from "@samovar/protocol";
import { afterEach, expect, test } from "vitest";
import type { Pool } from "./pool.ts";
import { createPools, type PoolsUnderTest, type ScriptedCall } from "./testing/pools.fixture.ts";

let at: PoolsUnderTest;
afterEach(() => at.dispose());

const GPUS: GpuDevice[] = [
  { id: "gpu-0", name: "T4", memoryMib: 16_384 },
  { id: "gpu-1", name: "T4", memoryMib: 16_384 },
  { id: "gpu-2", name: "A10", memoryMib: 24_576 },
];
const FLOORS: Readonly<Record<string, number>> = { kept: 2, model: 1 };

/** Numbers that look random and are the same in every run. */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** What must hold after every step: never more than the host has, no GPU twice, no floor taken. Returns the containers that are on their way out. */
function check(goneBefore: ReadonlySet<string>): Set<string> {
  let memoryMib = 0;
  const gpus: string[] = [];
  const gone = new Set<string>();
  for (const [name, pool] of at.pools) {
    let active = 0;
    let [madeRoom, wentOtherwise] = [0, 0];
    for (const container of pool.containers) {
      memoryMib += pool.spec.manifest.options.memoryRequestMib;
      gpus.push(...container.plan.gpus);
      if (container.isActive) active++;
      else gone.add(container.id);
      if (container.isActive || goneBefore.has(container.id)) continue;
      if (container.stopReason === "room") madeRoom++;
      else wentOtherwise++;
    }
    if (madeRoom > 0 && active + wentOtherwise < (FLOORS[name] ?? 0)) throw new Error(`${name} gave way below its floor`);
  }
  expect(memoryMib).toBeLessThanOrEqual(at.capacity.total.memoryMib);
  expect(new Set(gpus).size).toBe(gpus.length);
  expect(at.capacity.free.memoryMib).toBe(at.capacity.total.memoryMib - memoryMib);
  expect(at.capacity.free.gpus).toHaveLength(GPUS.length - gpus.length);
  return gone;
}

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])(
  "many pools on one host, run %i: never over, no floor taken, and all that waits is served when room comes",
  async (seed) => {
    at = createPools({ memoryMib: 5_120, cpuMillis: 16_000, gpus: GPUS });
    const random = createRandom(seed);
    const options = { timeoutMs: null, queueTimeoutMs: 86_400_000, startupTimeoutMs: 86_400_000 };
    at.pool("small", { ...options, memoryRequestMib: 256 });
    at.pool("wide", { ...options, memoryRequestMib: 512, concurrencyMax: 4, concurrencyTarget: 2 });
    at.pool("kept", { ...options, memoryRequestMib: 512, minContainers: FLOORS["kept"]! });
    at.pool("large", { ...options, memoryRequestMib: 2_048 });
    at.pool("buffered", { ...options, memoryRequestMib: 256, bufferContainers: 2 });
    at.pool("model", { ...options, memoryRequestMib: 512, gpu: ["T4"], gpuCount: 1, minContainers: FLOORS["model"]! });
    at.pool("models", { ...options, memoryRequestMib: 512, gpu: ["A10", "T4"], gpuCount: 1 });
    at.pool("once", { ...options, memoryRequestMib: 512, singleUse: true });
    const pools: readonly Pool[] = [...at.pools.values()];
    const calls: ScriptedCall[] = [];
    let gone = new Set<string>();
    await at.settle();
    for (let step = 0; step < 150; step++) {
      const all = [...at.containers.values()];
      const what = random(10);
      if (what < 5) for (let i = random(4); i >= 0; i--) calls.push(at.call(pools[random(pools.length)]!));
      else if (what < 8) for (let i = random(6); i >= 0 && all.length > 0; i--) all[random(all.length)]!.finish();
      else if (what === 8) calls[random(Math.max(1, calls.length))]?.ticket.cancel("cancelled");
      else at.clock.advance(random(20_000));
      await at.turn();
      gone = check(gone);
    }
    for (let round = 0; calls.some(({ state }) => state === "waiting" || state === "running"); round++) {
      if (round === 200)
        throw new Error(`Inputs wait for ever: ${JSON.stringify(pools.map((pool) => ({ name: pool.spec.load.functionName, ...pool.info() })))}`);
      for (const container of at.containers.values()) container.finish();
      await at.advance(1_000);
      gone = check(gone);
    }
    expect(calls.filter(({ state, error }) => state === "failed" && error?.code !== "cancelled")).toEqual([]);
    // Idle, all goes but the floors.
    await at.advance(3_600_000);
    await at.advance(3_600_000);
    expect(Object.fromEntries(pools.filter((pool) => pool.containers.size > 0).map((pool) => [pool.spec.load.functionName, pool.containers.size]))).toEqual(
      FLOORS,
    );
  },
);

test("nobody starves: under a load that never ends, each pool gets a container within a minute of asking", async () => {
  at = createPools({ memoryMib: 2_560, cpuMillis: 16_000 });
  const options = { timeoutMs: null, queueTimeoutMs: 86_400_000, startupTimeoutMs: 86_400_000 };
  const names = ["a", "b", "c", "d", "e", "large"];
  for (const name of names) at.pool(name, { ...options, memoryRequestMib: name === "large" ? 1_536 : 512 });
  const lastServedMs = new Map(names.map((name) => [name, at.clock.monotonic()]));
  const waiting = new Map<string, ScriptedCall[]>(names.map((name) => [name, []]));
  for (let second = 0; second < 400; second++) {
    for (const [name, calls] of waiting) {
      for (const call of calls.filter(({ state }) => state === "running")) {
        if (call.state === "running") lastServedMs.set(name, at.clock.monotonic());
      }
      const open = calls.filter(({ state }) => state === "waiting" || state === "running");
      while (open.length < 3) open.push(at.call(at.pools.get(name)!));
      waiting.set(name, open);
    }
    for (const container of at.containers.values()) container.finish();
    await at.turn();
    at.clock.advance(1_000);
    const starving = [...lastServedMs].filter(([, atMs]) => at.clock.monotonic() - atMs > 60_000);
    expect(starving).toEqual([]);
  }
});
