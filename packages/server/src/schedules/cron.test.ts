import { expect, test } from "vitest";
import { describeCronProblem } from "@samovar/protocol";
import { createRuns, describeTimezoneProblem, describeWhenProblem } from "./cron.ts";

/** What the clock on the wall shows in a zone: date, and time of day in minutes. */
function wallClock(timezone: string): (atMs: number) => { readonly date: string; readonly minute: number } {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone: timezone, dateStyle: "short", timeStyle: "short", hourCycle: "h23" });
  return (atMs) => {
    const [, date, hour, minute] = /^(\S+), (\d+):(\d+)$/.exec(format.format(atMs))!;
    return { date: date!, minute: Number(hour) * 60 + Number(minute) };
  };
}

/** Runs as `UTC moment = wall clock`, so that a table shows both. */
function runs(cron: string, timezone: string, after: string, count: number): string[] {
  const show = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
  const found: string[] = [];
  const { next } = createRuns(cron, timezone);
  for (let atMs = next(Date.parse(after)); atMs !== null && found.length < count; atMs = next(atMs)) {
    found.push(`${new Date(atMs).toISOString().slice(5, 16)}Z = ${show.format(atMs).slice(5)}`);
  }
  return found;
}

const CHANGES: readonly [what: string, cron: string, timezone: string, after: string, expected: readonly string[]][] = [
  [
    "a time that doesn't exist that day runs when the gap is over",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00:00Z",
    ["03-29T01:00Z = 03-29 03:00", "03-30T00:30Z = 03-30 02:30"],
  ],
  [
    "a time that comes twice that day runs at the first",
    "30 2 * * *",
    "Europe/Berlin",
    "2026-10-24T12:00:00Z",
    ["10-25T00:30Z = 10-25 02:30", "10-26T01:30Z = 10-26 02:30"],
  ],
  [
    "every hour is every real hour, in spring",
    "0 * * * *",
    "Europe/Berlin",
    "2026-03-29T00:00:00Z",
    ["03-29T01:00Z = 03-29 03:00", "03-29T02:00Z = 03-29 04:00"],
  ],
  [
    "every hour is every real hour, in autumn",
    "30 * * * *",
    "Europe/Berlin",
    "2026-10-25T00:00:00Z",
    ["10-25T00:30Z = 10-25 02:30", "10-25T01:30Z = 10-25 02:30", "10-25T02:30Z = 10-25 03:30"],
  ],
  [
    "several times of a gap are one run",
    "*/20 2 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00:00Z",
    ["03-29T01:00Z = 03-29 03:00", "03-30T00:00Z = 03-30 02:00", "03-30T00:20Z = 03-30 02:20"],
  ],
  [
    "a time of the gap and the one at its end are one run",
    "0 2-3 * * *",
    "Europe/Berlin",
    "2026-03-28T12:00:00Z",
    ["03-29T01:00Z = 03-29 03:00", "03-30T00:00Z = 03-30 02:00"],
  ],
  [
    "every second hour names its hours, so that none of them comes twice",
    "0 */2 * * *",
    "Europe/Berlin",
    "2026-10-24T21:00:00Z",
    ["10-24T22:00Z = 10-25 00:00", "10-25T00:00Z = 10-25 02:00", "10-25T03:00Z = 10-25 04:00"],
  ],
  [
    "the hour that a gap takes from them runs at its end",
    "0 */2 * * *",
    "Europe/Berlin",
    "2026-03-28T22:30:00Z",
    ["03-28T23:00Z = 03-29 00:00", "03-29T01:00Z = 03-29 03:00", "03-29T02:00Z = 03-29 04:00"],
  ],
  [
    "a range of all hours is every hour",
    "0 0-23 * * *",
    "Europe/Berlin",
    "2026-10-24T23:30:00Z",
    ["10-25T00:00Z = 10-25 02:00", "10-25T01:00Z = 10-25 02:00", "10-25T02:00Z = 10-25 03:00"],
  ],
  [
    "seconds keep their second in an hour that comes twice",
    "59 59 * * * *",
    "Europe/Berlin",
    "2026-10-24T23:59:59Z",
    ["10-25T00:59Z = 10-25 02:59", "10-25T01:59Z = 10-25 02:59"],
  ],
  [
    "where the gap is half an hour, it ends at half past",
    "15 2 * * *",
    "Australia/Lord_Howe",
    "2026-10-02T16:00:00Z",
    ["10-03T15:30Z = 10-04 02:30", "10-04T15:15Z = 10-05 02:15"],
  ],
  ["half an hour that comes twice", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", ["04-04T14:45Z = 04-05 01:45", "04-05T15:15Z = 04-06 01:45"]],
  [
    "the full hour of a wall clock that is moved by half of one is 90 minutes away",
    "0 * * * *",
    "Australia/Lord_Howe",
    "2026-04-04T13:30:00Z",
    ["04-04T14:00Z = 04-05 01:00", "04-04T15:30Z = 04-05 02:00", "04-04T16:30Z = 04-05 03:00"],
  ],
  [
    "a midnight that doesn't exist is the first hour of that day",
    "0 0 * * *",
    "America/Sao_Paulo",
    "2018-11-03T12:00:00Z",
    ["11-04T03:00Z = 11-04 01:00", "11-05T02:00Z = 11-05 00:00"],
  ],
  [
    "before a midnight that comes twice",
    "30 23 * * *",
    "America/Sao_Paulo",
    "2018-02-17T12:00:00Z",
    ["02-18T01:30Z = 02-17 23:30", "02-19T02:30Z = 02-18 23:30"],
  ],
  [
    "of every sixth hour, the midnight that doesn't exist is not lost",
    "0 */6 * * *",
    "Africa/Cairo",
    "2026-04-23T15:00:00Z",
    ["04-23T16:00Z = 04-23 18:00", "04-23T22:00Z = 04-24 01:00", "04-24T03:00Z = 04-24 06:00"],
  ],
  [
    "a gap before midnight ends on the next day",
    "30 23 * * 6",
    "America/Nuuk",
    "2026-03-22T12:00:00Z",
    ["03-29T01:00Z = 03-29 00:00", "04-05T00:30Z = 04-04 23:30"],
  ],
  [
    "a day that a country left out",
    "0 12 * * *",
    "Pacific/Apia",
    "2011-12-29T12:00:00Z",
    ["12-29T22:00Z = 12-29 12:00", "12-30T10:00Z = 12-31 00:00", "12-30T22:00Z = 12-31 12:00"],
  ],
];

test.each(CHANGES)("%s: %s in %s", (_, cron, timezone, after, expected) => {
  expect(runs(cron, timezone, after, expected.length)).toEqual(expected);
});

test("leap days, last days, nearest weekdays and the nth weekday of a month", () => {
  const dates = (cron: string, count: number, after = "2026-01-01T12:00:00Z"): string[] => {
    const { next } = createRuns(cron, "UTC");
    const found: string[] = [];
    for (let atMs = next(Date.parse(after)); atMs !== null && found.length < count; atMs = next(atMs)) found.push(new Date(atMs).toISOString().slice(0, 10));
    return found;
  };
  expect(dates("0 0 29 2 *", 2)).toEqual(["2028-02-29", "2032-02-29"]);
  expect(dates("0 0 29 2 *", 1, "2096-03-01T00:00:00Z")).toEqual(["2104-02-29"]);
  expect(dates("0 0 L * *", 3)).toEqual(["2026-01-31", "2026-02-28", "2026-03-31"]);
  expect(dates("0 0 L * *", 1, "2028-02-01T12:00:00Z")).toEqual(["2028-02-29"]);
  expect(dates("0 0 LW * *", 3)).toEqual(["2026-01-30", "2026-02-27", "2026-03-31"]);
  expect(dates("0 0 15W * *", 3)).toEqual(["2026-01-15", "2026-02-16", "2026-03-16"]);
  expect(dates("0 0 * * FRI#2", 3)).toEqual(["2026-01-09", "2026-02-13", "2026-03-13"]);
  expect(dates("0 0 * * 5L", 3)).toEqual(["2026-01-30", "2026-02-27", "2026-03-27"]);
  // Either day will do, as cron has it.
  expect(dates("0 0 13 * FRI", 4)).toEqual(["2026-01-02", "2026-01-09", "2026-01-13", "2026-01-16"]);
  expect(dates("@weekly", 2)).toEqual(["2026-01-04", "2026-01-11"]);
});

// Days with a change: by looking at every minute of them.
const AROUND: readonly [timezone: string, days: readonly string[]][] = [
  ["Europe/Berlin", ["2026-03-28", "2026-10-24"]],
  ["America/New_York", ["2026-03-07", "2026-10-31"]],
  ["Australia/Lord_Howe", ["2026-04-04", "2026-10-03"]],
  ["Africa/Cairo", ["2026-04-23", "2026-10-29"]],
  ["America/Nuuk", ["2026-03-28", "2026-10-24"]],
  ["America/Sao_Paulo", ["2018-11-03", "2018-02-17"]],
  ["Asia/Kathmandu", ["2026-01-01"]],
];
const CRONS: readonly [cron: string, hours: (hour: number) => boolean, minutes: (minute: number) => boolean][] = [
  ["*/15 * * * *", () => true, (minute) => minute % 15 === 0],
  ["7 * * * *", () => true, (minute) => minute === 7],
  ["30 2 * * *", (hour) => hour === 2, (minute) => minute === 30],
  ["*/20 0-3 * * *", (hour) => hour <= 3, (minute) => minute % 20 === 0],
  ["45 */3 * * *", (hour) => hour % 3 === 0, (minute) => minute === 45],
  ["15,30 1,23 * * *", (hour) => hour === 1 || hour === 23, (minute) => minute === 15 || minute === 30],
];

test.each(AROUND)("in %s runs are what looking at every minute around the changes finds, forwards and backwards", (timezone, days) => {
  const look = wallClock(timezone);
  for (const day of days) {
    const fromMs = Date.parse(`${day}T00:00:00Z`) - 86_400_000;
    const minutes = Array.from({ length: 3 * 1440 }, (_, at) => ({ atMs: fromMs + at * 60_000, ...look(fromMs + at * 60_000) }));
    for (const [cron, isHour, isMinute] of CRONS) {
      const wanted = (minute: number): boolean => isHour(Math.floor(minute / 60)) && isMinute(minute % 60);
      const expected = new Set<number>();
      const seen = new Set<string>();
      for (const [at, { atMs, date, minute }] of minutes.entries()) {
        const before = minutes[at - 1];
        if (!before) continue;
        if (isHour(0) && isHour(13)) {
          if (wanted(minute)) expected.add(atMs);
          continue;
        }
        // Named times: those that are skipped here run now, and those that were seen before don't.
        const gap = (minute - before.minute + 1440) % 1440;
        for (let skipped = 1; gap > 1 && gap < 720 && skipped < gap; skipped++) if (wanted((before.minute + skipped) % 1440)) expected.add(atMs);
        if (wanted(minute) && !seen.has(`${date} ${minute}`)) expected.add(atMs);
        seen.add(`${date} ${minute}`);
      }
      const { next, previous } = createRuns(cron, timezone);
      const untilMs = minutes.at(-1)!.atMs;
      const found: number[] = [];
      for (let atMs = next(fromMs); atMs !== null && atMs <= untilMs; atMs = next(atMs)) found.push(atMs);
      const show = (times: Iterable<number>): string[] => [...times].map((atMs) => new Date(atMs).toISOString());
      expect(show(found), `${cron} from ${day}`).toEqual(show(expected));
      expect(show(previous(untilMs + 500, found.length).toReversed()), `${cron} until then`).toEqual(show(expected));
      // From and until any moment: also within an hour that comes twice.
      for (const { atMs } of minutes.filter((_, at) => at % 61 === 0)) {
        expect(next(atMs) ?? Infinity, `${cron} after ${atMs}`).toBe(found.find((one) => one > atMs) ?? next(untilMs));
        if (atMs >= found[0]!) expect(previous(atMs, 1)[0], `${cron} by ${atMs}`).toBe(found.findLast((one) => one <= atMs));
      }
    }
  }
});

test("what can't be read is told as the SDK tells it where it is written", () => {
  expect(describeWhenProblem("0 25 * * *")).toBe('when is "0 25 * * *", but its hour is "25": "25" is not one of 0 to 23');
  expect(describeWhenProblem("0 0 31 4,6 *")).toBe('when is "0 0 31 4,6 *", but it never runs: no month of "4,6" has a day 31');
  expect(describeWhenProblem("@reboot")).toMatch(/^when is "@reboot", but it is none of the names @hourly @daily/);
  for (const good of [" 0 9 * * MON-FRI ", "0 9 * jan,Jul mon-Fri", "*/10 * * * * *", "@Hourly", "0 0 LW * *"])
    expect(describeWhenProblem(good)).toBeUndefined();
});

test("days and months that may be written are those that the parser runs", () => {
  // The same texts each time.
  let state = 42;
  const below = (count: number): number => (state = (state * 48_271) % 2_147_483_647) % count;
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const list = (items: readonly string[]): string => Array.from({ length: below(3) + 1 }, () => oneOf(items)).join(",");
  const days = [
    "*",
    "?",
    "1",
    "15",
    "29",
    "30",
    "31",
    "30-31",
    "28-31/2",
    "*/10",
    "L",
    "LW",
    "lw",
    "15W",
    "30W",
    "31w",
    "0",
    "32",
    "32W",
    "L-1",
    "5L",
    "1-5W",
    "W",
  ];
  const months = ["*", "2", "4", "FEB", "apr", "4-6", "4-6/2", "2-2", "*/2", "*/12", "0", "13", "FEB-APR", "NOV-FEB", "2/2", "L", "APRIL"];
  const weekdays = [
    "*",
    "?",
    "MON",
    "0",
    "7",
    "8",
    "FRI#2",
    "5L",
    "MON#5",
    "1#6",
    "FRI-SUN",
    "SAT-MON",
    "SUN-TUE",
    "1-5/2",
    "*/2",
    "L",
    "#2",
    "MON#2-FRI",
    "MONL",
  ];
  const differences: string[] = [];
  let right = 0;
  for (let count = 0; count < 3_000; count++) {
    const text = `0 0 ${list(days)} ${list(months)} ${oneOf([oneOf(["*", "?"]), list(weekdays)])}`;
    const taken = runsAtAll(text);
    if (taken) right++;
    if ((describeWhenProblem(text) === undefined) !== taken || (describeCronProblem(text) === undefined) !== taken) differences.push(text);
  }
  expect(differences).toEqual([]);
  expect(right).toBeGreaterThan(300);
});

function runsAtAll(text: string): boolean {
  try {
    return createRuns(text, "UTC").next(Date.parse("2000-01-01T00:00:00Z")) !== null;
  } catch {
    return false;
  }
}

test("a timezone is one that is known here", () => {
  expect(describeTimezoneProblem("Mars/Phobos")).toBe(
    'timezone is "Mars/Phobos", which this server doesn\'t know: give an IANA name, such as "Europe/Berlin" or "UTC"',
  );
  expect(describeTimezoneProblem("")).toBeDefined();
  for (const good of ["Europe/Berlin", "UTC", "Asia/Kathmandu"]) expect(describeTimezoneProblem(good)).toBeUndefined();
});
