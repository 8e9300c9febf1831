import { expect, test } from "vitest";
import type { ScheduleManifest } from "@samovar/protocol";
import { createTicks, type Ticks } from "./ticks.ts";

const HOUR_MS = 3_600_000;
const NOON_MS = Date.parse("2026-05-01T12:00:00Z");

function ticksOf(when: Partial<ScheduleManifest>): Ticks {
  return createTicks({ cron: null, everyMs: null, timezone: null, overlap: "skip", catchUp: "last", ...when }, "Europe/Berlin");
}

test("every is counted from the epoch, whenever it is asked", () => {
  const ticks = ticksOf({ everyMs: 7_000 });
  for (const nowMs of [NOON_MS, NOON_MS + 1, NOON_MS + 6_999.5]) {
    const [first, second] = ticks.after(nowMs, 2) as [number, number];
    expect(first % 7_000).toBe(0);
    expect(first).toBeGreaterThan(nowMs);
    expect(first - nowMs).toBeLessThanOrEqual(7_000);
    expect(second).toBe(first + 7_000);
  }
  expect(ticksOf({ everyMs: 24 * HOUR_MS }).after(NOON_MS, 1)).toEqual([Date.parse("2026-05-02T00:00:00Z")]);
});

test.each([
  ["every", { everyMs: 600_000 }],
  ["cron", { cron: "*/10 * * * *", timezone: "UTC" }],
  ["cron that names hours", { cron: "*/10 0-22,23 * * *", timezone: "UTC" }],
])("of %s, the newest ones are those after a moment and until another, itself included", (_, when) => {
  const ticks = ticksOf(when);
  const all = Array.from({ length: 6 * 24 }, (__, at) => NOON_MS + (at + 1) * 600_000);
  expect(ticks.newest(NOON_MS, NOON_MS + 24 * HOUR_MS, 1_000)).toEqual(all);
  expect(ticks.newest(NOON_MS, NOON_MS + 24 * HOUR_MS, 100)).toEqual(all.slice(-100));
  expect(ticks.newest(NOON_MS, NOON_MS + 24 * HOUR_MS - 1, 1)).toEqual(all.slice(-2, -1));
  expect(ticks.newest(NOON_MS, NOON_MS + 600_000, 5)).toEqual(all.slice(0, 1));
  expect(ticks.newest(NOON_MS, NOON_MS + 599_999, 5)).toEqual([]);
  expect(ticks.newest(NOON_MS, NOON_MS, 5)).toEqual([]);
  expect(ticks.newest(NOON_MS + HOUR_MS, NOON_MS, 5)).toEqual([]);
});

test("a cron without a timezone goes by the server's", () => {
  expect(ticksOf({ cron: "0 9 * * *" }).after(NOON_MS, 1)).toEqual([Date.parse("2026-05-02T07:00:00Z")]);
  expect(ticksOf({ cron: "0 9 * * *", timezone: "Asia/Tokyo" }).after(NOON_MS, 1)).toEqual([Date.parse("2026-05-02T00:00:00Z")]);
});

test("what is remembered is the same as what is found anew, in whatever order it is asked for", () => {
  const shared = ticksOf({ cron: "5,20,50 8-17 * * MON-FRI" });
  // A sequence without chance that jumps to and fro.
  for (let at = 0, step = 1; at < 300; at++, step = (step * 137 + 11) % 401) {
    const fromMs = NOON_MS + (step - 200) * 0.3 * HOUR_MS;
    const count = 1 + (at % 6);
    expect(shared.after(fromMs, count)).toEqual(ticksOf({ cron: "5,20,50 8-17 * * MON-FRI" }).after(fromMs, count));
  }
});
