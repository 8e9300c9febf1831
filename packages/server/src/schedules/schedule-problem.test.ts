import { expect, test } from "vitest";
import type { ScheduleManifest } from "@samovar/protocol";
import { describeWhen } from "./schedule-info.ts";
import { describeScheduleProblem } from "./schedule-problem.ts";

const GOOD: ScheduleManifest = { cron: "0 9 * * MON-FRI", everyMs: null, timezone: "Europe/Berlin", overlap: "skip", catchUp: "last" };
const EVERY: ScheduleManifest = { ...GOOD, cron: null, everyMs: 300_000, timezone: null };

test("what an author may write is no problem", () => {
  for (const good of [GOOD, EVERY, { ...GOOD, timezone: null }, { ...GOOD, cron: "@daily" }, { ...EVERY, everyMs: 1_000 }]) {
    expect(describeScheduleProblem(good)).toBeUndefined();
  }
});

test.each<[Partial<Record<keyof ScheduleManifest, unknown>>, RegExp]>([
  [{ everyMs: 1_000 }, /either when or every/],
  [{ cron: null }, /either when or every/],
  [{ cron: null, timezone: null, everyMs: 999 }, /every is 999 ms: give at least 1 s/],
  [{ cron: null, timezone: null, everyMs: 1_000.5 }, /whole milliseconds/],
  [{ cron: null, timezone: null, everyMs: Number.NaN }, /every is NaN ms/],
  [{ cron: null, everyMs: 60_000 }, /timezone "Europe\/Berlin" means nothing/],
  [{ cron: "* * * *" }, /when is "\* \* \* \*", but it has 4 fields, but cron has 5/],
  [{ cron: "0 0 30 2 *" }, /never runs/],
  [{ timezone: "Mars/Phobos" }, /timezone is "Mars\/Phobos"/],
  [{ overlap: "kill" }, /overlap is "kill": give "skip", "queue" or "allow"/],
  [{ catchUp: "some" }, /catchUp is "some": give "none", "last" or "all"/],
])("%j is refused, with what to write", (change, message) => {
  const schedule = { ...GOOD, ...change } as ScheduleManifest;
  expect(describeScheduleProblem(schedule)).toMatch(message);
});

test("when it runs is told as its author would", () => {
  const every = (everyMs: number): string => describeWhen({ ...EVERY, everyMs });
  expect(describeWhen(GOOD)).toBe("0 9 * * MON-FRI");
  expect([every(300_000), every(5_400_000), every(86_400_000), every(1_500), every(30_000)]).toEqual([
    "every 5m",
    "every 90m",
    "every 1d",
    "every 1500ms",
    "every 30s",
  ]);
});
