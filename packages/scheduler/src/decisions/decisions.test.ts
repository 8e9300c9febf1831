import { describe, expect, test } from "vitest";
import { desiredContainers } from "./desired-containers.ts";
import { isPreferredContainer } from "./preferred-container.ts";
import { beyondCeiling } from "./beyond-ceiling.ts";
import { decideScaleDown, type ScaleDownDecision, type ScaleDownSnapshot } from "./scale-down.ts";
import { waitReason, type WaitSnapshot } from "./wait-reason.ts";
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
    waitedMs: 0,
    running: 0,
    tasksPerContainer: 1,
    bufferContainers: 0,
    slotsPerContainer: 1,
    singleUse: false,
    meanDurationMs: null,
    meanStartMs: null,
  };
  const measured = { ...base, meanDurationMs: 10, meanStartMs: 50 };
  test.each<[string, StartSnapshot, number]>([
    ["a pool never measured starts two", base, 2],
    ["and no more while they start", { ...base, starting: 2 }, 0],
    ["then four at a time", { ...base, ready: 2 }, 4],
    ["and no more while those start", { ...base, ready: 2, starting: 4 }, 0],
    ["then more", { ...base, desired: 30, ready: 6 }, 12],
    ["never more than are missing", { ...base, desired: 7, ready: 6 }, 1],
    ["the floor is filled at once", { ...base, desired: 5, minContainers: 5, ready: 1, queued: 0 }, 4],
    ["also by a pool that was measured", { ...measured, desired: 5, minContainers: 5, ready: 1, queued: 0 }, 4],
    ["none when there are enough", { ...base, desired: 2, starting: 1, ready: 1 }, 0],
    ["none when the queue is drained before one could be ready", { ...measured, ready: 1, queued: 5 }, 0],
    ["one when it is not, though not for long", { ...measured, ready: 1, queued: 6 }, 1],
    ["no second one for that while the first starts", { ...measured, ready: 1, starting: 1, queued: 8 }, 0],
    ["all that are missing for inputs that outlast a start by far", { ...measured, ready: 1, queued: 9, meanDurationMs: 500 }, 9],
    ["as many as finish what is left within another start", { ...measured, desired: 50, ready: 1, queued: 49 }, 8],
    ["one where there is none, though it is quick", { ...measured, desired: 1, queued: 1, meanDurationMs: 1, meanStartMs: 1_000 }, 1],
    ["one for a burst of quick inputs where there is none", { ...measured, desired: 50, queued: 50, meanDurationMs: 1 }, 1],
    ["slots of a container count", { ...measured, desired: 5, ready: 1, queued: 40, slotsPerContainer: 10 }, 0],
    ["the buffer is filled though nothing waits", { ...measured, desired: 3, ready: 1, running: 1, queued: 0, bufferContainers: 2 }, 2],
    ["one at a time beyond the target, for short inputs", { ...measured, desired: 8, ready: 1, running: 8, queued: 0, slotsPerContainer: 10 }, 1],
    ["all at once for long ones", { ...measured, desired: 8, ready: 1, running: 8, queued: 0, slotsPerContainer: 10, meanDurationMs: 500 }, 7],
    ["containers for one input don't drain a queue", { ...measured, ready: 4, queued: 6, singleUse: true }, 6],
    ["some when inputs wait much longer than they should have to", { ...measured, ready: 1, queued: 5, waitedMs: 120 }, 2],
    ["and no more while those start", { ...measured, ready: 1, starting: 2, queued: 5, waitedMs: 120 }, 0],
    ["durations of nothing at all", { ...measured, ready: 1, queued: 9, meanDurationMs: 0, meanStartMs: 0 }, 0],
  ])("%s", (_name, snapshot, expected) => {
    expect(startsNow(snapshot)).toBe(expected);
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
  const base = { nowMs: 11_500, idle, active: 3, keep: 2, windowMs: 10_000 };
  test.each<[string, Partial<ScaleDownSnapshot>, ScaleDownDecision]>([
    ["what was idle for the whole window stops", {}, { stop: ["a"], wakeAtMs: null }],
    ["nothing before it, and it says when to look again", { nowMs: 10_999 }, { stop: [], wakeAtMs: 11_000 }],
    ["longest idle first, down to the floor", { nowMs: 99_000, keep: 1, active: 5 }, { stop: ["a", "b", "c"], wakeAtMs: null }],
    ["what starts or works counts towards the floor", { nowMs: 99_000, active: 5, keep: 3 }, { stop: ["a", "b"], wakeAtMs: null }],
    ["not one below the floor", { nowMs: 99_000, keep: 3 }, { stop: [], wakeAtMs: null }],
    ["a floor above what there is", { nowMs: 99_000, keep: 9 }, { stop: [], wakeAtMs: null }],
    ["no window: never", { nowMs: 1e9, keep: 0, windowMs: null }, { stop: [], wakeAtMs: null }],
    ["far over what is needed, a quarter of the window is enough", { nowMs: 3_500, keep: 0 }, { stop: ["a"], wakeAtMs: 4_500 }],
    ["until it is far over no more", { nowMs: 4_500, keep: 0 }, { stop: ["a", "b"], wakeAtMs: 19_000 }],
    ["one more than needed is not far over", { nowMs: 4_500, idle: idle.slice(0, 1), active: 1, keep: 0 }, { stop: [], wakeAtMs: 12_000 }],
    ["two of ten are not far over", { nowMs: 4_500, active: 10, keep: 8 }, { stop: [], wakeAtMs: 11_000 }],
    ["nothing idle", { idle: [], keep: 0 }, { stop: [], wakeAtMs: null }],
  ])("%s", (_name, changes, expected) => {
    expect(decideScaleDown({ ...base, ...changes })).toEqual(expected);
  });
});

test("failed starts are tried again after 1, 2, 4 … 60 s", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 50].map(startBackoffMs)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test("a lowered ceiling takes what starts, then what is idle longest, then what holds least", () => {
  const of = (id: string, state: string, heldCount: number, idleSinceMs = 0): { id: string; state: string; heldCount: number; idleSinceMs: number } => ({
    id,
    state,
    heldCount,
    idleSinceMs,
  });
  const all = [of("busy", "ready", 3), of("light", "ready", 1), of("idle", "ready", 0, 5), of("old", "ready", 0, 1), of("starts", "starting", 0, 9)];
  const gone = (ceiling: number): string[] => beyondCeiling(all, ceiling).map(({ id }) => id);
  expect(gone(5)).toEqual([]);
  expect(gone(3)).toEqual(["starts", "old"]);
  expect(gone(0)).toEqual(["starts", "old", "idle", "light", "busy"]);
});

describe("waitReason", () => {
  const base: WaitSnapshot = { queued: 1, starting: 0, returning: 0, ready: 2, startPosition: null, maxContainers: null, room: null };
  const inHook = { phase: "start", hook: "loadModel" } as const;
  test.each<[Partial<WaitSnapshot>, string | null]>([
    [{ queued: 0 }, null],
    [{ queued: 0, ready: 0 }, null],
    [{ ready: 0, starting: 1, startPosition: { phase: "load", hook: null } }, "waiting for the first container to start (phase load)"],
    [{ queued: 0, ready: 0, starting: 2, startPosition: inHook }, "waiting for the first container to start (phase start, hook loadModel)"],
    [{ ready: 0, starting: 2, returning: 2 }, "waiting for the containers of before the server's restart to come back"],
    [{ room: "the host is full: …" }, "the host is full: …"],
    [{ queued: 0, ready: 0, room: "the host is full: …" }, "the host is full: …"],
    [{ ready: 0, starting: 1, room: "the host is full: …" }, "waiting for the first container to start (phase create)"],
    [{ ready: 1, maxContainers: 1 }, "maxContainers is 1 and it is busy"],
    [{ maxContainers: 2 }, "maxContainers is 2 and both are busy"],
    [{ ready: 3, maxContainers: 3 }, "maxContainers is 3 and all are busy"],
    [{ ready: 1, starting: 2, maxContainers: 3 }, "maxContainers is 3: 1 is busy and 2 are starting"],
    [{ maxContainers: 3 }, "all slots of its 2 containers are taken, and will be free before another container could be ready"],
    [{ starting: 1 }, "all slots of its 2 containers are taken, 1 more is starting"],
    [{ ready: 1, starting: 3 }, "all slots of its container are taken, 3 more are starting"],
    [{}, "all slots of its 2 containers are taken, and will be free before another container could be ready"],
    [{ ready: 0 }, "no container is there"],
  ])("%o", (changes, expected) => {
    expect(waitReason({ ...base, ...changes })).toBe(expected);
  });
});
