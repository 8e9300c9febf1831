import { expect, test } from "vitest";
import { desiredContainers } from "./desired-containers.ts";
import { startsNow } from "./starts-now.ts";

interface Load {
  /** Callers that call again as soon as they are answered; or, with `once`, never again. */
  readonly callers: number;
  readonly once?: boolean;
  readonly durationMs: number;
  readonly startMs: number;
  readonly warm: number;
  readonly untilMs: number;
}

/** A pool of one slot per container under a load, decided by the pure functions alone: what a fleet does at each event. */
function play({ callers, once = false, durationMs, startMs, warm, untilMs }: Load): {
  started: number;
  useless: number;
  worstWaitMs: number;
  drainedAtMs: number;
} {
  const queue: number[] = Array.from({ length: callers }, () => 0);
  const containers: { readyAtMs: number; busyUntilMs: number; inputs: number }[] = Array.from({ length: warm }, () => ({
    readyAtMs: 0,
    busyUntilMs: 0,
    inputs: 1,
  }));
  let worstWaitMs = 0;
  let drainedAtMs = 0;
  for (let nowMs = 0; nowMs <= untilMs; nowMs++) {
    for (const container of containers) {
      if (container.busyUntilMs === nowMs && nowMs > 0 && !once) queue.push(nowMs);
      if (container.readyAtMs > nowMs || container.busyUntilMs > nowMs || queue.length === 0) continue;
      worstWaitMs = Math.max(worstWaitMs, nowMs - queue.shift()!);
      container.busyUntilMs = nowMs + durationMs;
      container.inputs++;
      drainedAtMs = nowMs;
    }
    const running = containers.filter((c) => c.busyUntilMs > nowMs).length;
    const ready = containers.filter((c) => c.readyAtMs <= nowMs).length;
    const starts = startsNow({
      desired: desiredContainers(
        { queued: queue.length, running, active: true },
        { minContainers: 0, maxContainers: 100, bufferContainers: 0, tasksPerContainer: 1 },
      ),
      minContainers: 0,
      starting: containers.length - ready,
      ready,
      queued: queue.length,
      waitedMs: queue.length > 0 ? nowMs - queue[0]! : 0,
      running,
      tasksPerContainer: 1,
      bufferContainers: 0,
      slotsPerContainer: 1,
      singleUse: false,
      meanDurationMs: durationMs,
      meanStartMs: startMs,
    });
    for (let i = 0; i < starts; i++) containers.push({ readyAtMs: nowMs + startMs, busyUntilMs: 0, inputs: 0 });
  }
  return { started: containers.length - warm, useless: containers.filter((c) => c.inputs === 0).length, worstWaitMs, drainedAtMs };
}

test.each<Load>([
  { callers: 50, durationMs: 2, startMs: 60, warm: 4, untilMs: 3_000 },
  { callers: 50, durationMs: 1, startMs: 100, warm: 1, untilMs: 3_000 },
])("a warm pool whose inputs are quick starts none for 50 callers at once: $durationMs ms on $warm containers", (load) => {
  expect(play(load).started).toBe(0);
});

test("it starts as many as keep waits within a few starts, where the callers stay, and each of them gets work", () => {
  const { started, useless, worstWaitMs } = play({ callers: 50, durationMs: 20, startMs: 60, warm: 1, untilMs: 5_000 });
  expect(started).toBeGreaterThanOrEqual(8);
  expect(started).toBeLessThanOrEqual(30);
  expect(useless).toBe(0);
  expect(worstWaitMs).toBeLessThanOrEqual(4 * 60);
});

test("for inputs that take much longer than a start, every caller gets a container of its own", () => {
  expect(play({ callers: 50, durationMs: 2_000, startMs: 60, warm: 1, untilMs: 5_000 })).toMatchObject({ started: 49, useless: 0 });
});

test("from nothing, a burst of quick inputs starts one", () => {
  expect(play({ callers: 50, once: true, durationMs: 1, startMs: 60, warm: 0, untilMs: 1_000 })).toMatchObject({ started: 1 });
});

test("whatever the load, a burst that comes once starts hardly any that get no work, and is over within a few starts of what containers for all would take", () => {
  const wrong: unknown[] = [];
  for (const durationMs of [1, 3, 10, 40, 150]) {
    for (const startMs of [5, 20, 80]) {
      for (const callers of [1, 2, 5, 30]) {
        for (const warm of [0, 1, 3, 10]) {
          const played = play({ callers, once: true, durationMs, startMs, warm, untilMs: 1_000 });
          const most = callers > warm ? callers - warm : warm > 0 ? 0 : 1;
          const isFine = played.started <= most && played.useless <= Math.ceil(played.started / 10) && played.drainedAtMs <= startMs + durationMs + 4 * startMs;
          if (!isFine) wrong.push({ durationMs, startMs, callers, warm, ...played });
        }
      }
    }
  }
  expect(wrong).toEqual([]);
});
