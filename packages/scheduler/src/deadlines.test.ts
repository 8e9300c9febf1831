import { expect, test } from "vitest";
import { FakeClock, type Clock } from "@samovar/kit";
import { Deadlines } from "./deadlines.ts";

function setUp(): { clock: FakeClock; deadlines: Deadlines; fired: string[]; add(name: string, inMs: number): ReturnType<Deadlines["add"]> } {
  const clock = new FakeClock();
  const deadlines = new Deadlines(clock);
  const fired: string[] = [];
  return { clock, deadlines, fired, add: (name, inMs) => deadlines.add(clock.monotonic() + inMs, () => fired.push(name)) };
}

test("each deadline fires at its own time, whatever the order in which they were set", () => {
  const { clock, fired, add } = setUp();
  add("late", 300);
  add("early", 100);
  add("middle", 200);
  clock.advance(100);
  expect(fired).toEqual(["early"]);
  clock.advance(100);
  expect(fired).toEqual(["early", "middle"]);
  clock.advance(100);
  expect(fired).toEqual(["early", "middle", "late"]);
  expect(clock.pending).toBe(0);
});

test("a deleted deadline never fires and a moved one fires at its new time", () => {
  const { clock, deadlines, fired, add } = setUp();
  deadlines.delete(add("deleted", 100));
  const moved = add("moved", 100);
  deadlines.move(moved, clock.monotonic() + 500);
  clock.advance(499);
  expect(fired).toEqual([]);
  clock.advance(1);
  expect(fired).toEqual(["moved"]);
});

test("however many deadlines there are, one timer waits", () => {
  const { clock, deadlines, add } = setUp();
  for (let i = 0; i < 1_000; i++) add(String(i), 1_000 + i);
  expect(clock.pending).toBe(1);
  deadlines.dispose();
  expect(clock.pending).toBe(0);
});

test("a deadline set while others fire is honoured", () => {
  const { clock, deadlines, fired, add } = setUp();
  deadlines.add(clock.monotonic() + 10, () => add("second", 10));
  clock.advance(20);
  expect(fired).toEqual(["second"]);
});

test("a timer that fires a little early, as real ones do, fires nothing before its time, and forgets nothing", () => {
  const clock = new FakeClock();
  // Rounds down to whole milliseconds, and stands at fractions.
  const coarse: Clock = { now: () => clock.now(), monotonic: () => clock.monotonic() + 0.4, after: (ms, run) => clock.after(Math.max(1, Math.floor(ms)), run) };
  const deadlines = new Deadlines(coarse);
  const fired: number[] = [];
  const dueAtMs = coarse.monotonic() + 100.3;
  deadlines.add(dueAtMs, () => fired.push(coarse.monotonic()));
  clock.advance(100);
  expect(fired).toEqual([]);
  clock.advance(1);
  expect(fired).toHaveLength(1);
  expect(fired[0]).toBeGreaterThanOrEqual(dueAtMs);
});
