import { describe, expect, test } from "vitest";
import { desiredContainers } from "./desired-containers.ts";
import { isPreferredContainer } from "./preferred-container.ts";
import { decideScaleDown } from "./scale-down.ts";
import { startBackoffMs } from "./start-backoff.ts";
import { startsNow, type StartSnapshot } from "./starts-now.ts";

describe("desiredContainers", () => {
  const options = { minContainers: 0, maxContainers: 10, bufferContainers: 0, tasksPerContainer: 4 };
  test.each([
    ["nothing to do, no floor", { queued: 0, running: 0, active: false }, {}, 0],
    ["a part of a container's worth needs a whole one", { queued: 1, running: 0, active: true }, {}, 1],
    ["queued and running count alike", { queued: 3, running: 6, active: true }, {}, 3],
    ["never over the ceiling", { queued: 400, running: 0, active: true }, {}, 10],
    ["never under the floor", { queued: 0, running: 0, active: false }, { minContainers: 2 }, 2],
    ["the buffer counts while active", { queued: 4, running: 0, active: true }, { bufferContainers: 2 }, 3],
    ["and not otherwise", { queued: 0, running: 0, active: false }, { bufferContainers: 2 }, 0],
    ["the buffer stays under the ceiling", { queued: 40, running: 0, active: true }, { bufferContainers: 2 }, 10],
  ])("%s", (_name, demand, changes, expected) => {
    expect(desiredContainers(demand, { ...options, ...changes })).toBe(expected);
  });
});

describe("startsNow", () => {
  const base: StartSnapshot = {
    desired: 10,
    minContainers: 0,
    starting: 0,
    ready: 0,
    queued: 10,
    slotsPerContainer: 1,
    meanDurationMs: null,
    meanStartMs: null,
  };
  test("a pool never measured starts 2, then 4, then 8 at a time", () => {
    expect(startsNow(base)).toBe(2);
    expect(startsNow({ ...base, starting: 2 })).toBe(0);
    expect(startsNow({ ...base, ready: 2 })).toBe(4);
    expect(startsNow({ ...base, ready: 2, starting: 4 })).toBe(0);
    expect(startsNow({ ...base, desired: 30, ready: 6 })).toBe(12);
  });
  test("starts none when the queue will be drained before one could be ready", () => {
    expect(startsNow({ ...base, ready: 1, queued: 9, meanDurationMs: 2, meanStartMs: 50 })).toBe(0);
  });
  test("starts all that are missing when the queue will outlast a start", () => {
    expect(startsNow({ ...base, ready: 1, queued: 9, meanDurationMs: 100, meanStartMs: 50 })).toBe(9);
  });
  test("always starts one where there is none", () => {
    expect(startsNow({ ...base, desired: 1, meanDurationMs: 1, meanStartMs: 1_000 })).toBe(1);
  });
  test("always fills the floor", () => {
    expect(startsNow({ ...base, desired: 5, minContainers: 5, ready: 1, queued: 0, meanDurationMs: 1, meanStartMs: 1_000 })).toBe(4);
  });
  test("none when there are enough", () => {
    expect(startsNow({ ...base, desired: 2, starting: 1, ready: 1 })).toBe(0);
  });
});

test("the most recently used container with room is preferred", () => {
  expect(isPreferredContainer(1, 0, -1)).toBe(true);
  expect(isPreferredContainer(2, 5, 3)).toBe(true);
  expect(isPreferredContainer(1, 3, 5)).toBe(false);
  expect(isPreferredContainer(0, 9, 5)).toBe(false);
});

describe("decideScaleDown", () => {
  const idle = [
    { id: "b", idleSinceMs: 2_000 },
    { id: "a", idleSinceMs: 1_000 },
    { id: "c", idleSinceMs: 9_000 },
  ];
  const base = { nowMs: 11_500, idle, active: 3, keep: 0, windowMs: 10_000 };
  test("stops what was idle for the whole window, longest idle first, and says when to look again", () => {
    expect(decideScaleDown(base)).toEqual({ stop: ["a"], wakeAtMs: 12_000 });
    expect(decideScaleDown({ ...base, nowMs: 12_000 })).toEqual({ stop: ["a", "b"], wakeAtMs: 19_000 });
  });
  test("never goes below the floor", () => {
    expect(decideScaleDown({ ...base, nowMs: 99_000, keep: 2 })).toEqual({ stop: ["a"], wakeAtMs: null });
    expect(decideScaleDown({ ...base, nowMs: 99_000, keep: 3 })).toEqual({ stop: [], wakeAtMs: null });
  });
  test("counts containers that start or work towards the floor", () => {
    expect(decideScaleDown({ ...base, nowMs: 99_000, active: 5, keep: 2 }).stop).toEqual(["a", "b", "c"]);
  });
  test("never stops anything without a window", () => {
    expect(decideScaleDown({ ...base, nowMs: 1e9, windowMs: null })).toEqual({ stop: [], wakeAtMs: null });
  });
});

test("failed starts are tried again after 1, 2, 4 … 60 s", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 50].map(startBackoffMs)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});
