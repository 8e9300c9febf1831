import { expect, test } from "vitest";
import { SET_BACK_MS, settledAt, stillWanted, takeTicks, tickOutcome, type DueTick } from "./decisions.ts";
import { createTicks } from "./ticks.ts";

const MINUTE_MS = 60_000;
const NOON_MS = Date.parse("2026-05-01T12:00:00Z");
const everyMinute = createTicks({ cron: null, everyMs: MINUTE_MS, timezone: null, overlap: "skip", catchUp: "none" }, "UTC");

/** Times in seconds from noon, so that a row can be read. `+` marks those that are made up for. */
const TICKS: readonly [
  what: string,
  times: { readonly settled: number; readonly away?: number; readonly now: number },
  expected: { readonly none: string; readonly last: string; readonly all: string },
][] = [
  ["nothing has passed", { settled: 1, now: 59 }, { none: "", last: "", all: "" }],
  ["one is on time", { settled: 1, now: 60 }, { none: "60", last: "60", all: "60" }],
  ["one is late, as on a busy server", { settled: 1, now: 90 - 0.001 }, { none: "60", last: "60", all: "60" }],
  ["one is too late: the machine slept", { settled: 1, now: 91 }, { none: "lost", last: "+60", all: "+60" }],
  ["of several, one is on time", { settled: 1, now: 245 }, { none: "lost 240", last: "lost 240", all: "+60 +120 +180 240" }],
  ["of several, none is on time", { settled: 1, now: 239 }, { none: "lost", last: "lost +180", all: "+60 +120 +180" }],
  ["no server was there, till a moment ago", { settled: 1, away: 61, now: 61 }, { none: "lost", last: "+60", all: "+60" }],
  ["none passed while no server was there", { settled: 1, away: 59, now: 59 }, { none: "", last: "", all: "" }],
  ["the server was there in time", { settled: 1, away: 59, now: 60 }, { none: "60", last: "60", all: "60" }],
  ["the clock was set back a little", { settled: 61, now: 2 }, { none: "", last: "", all: "" }],
];

for (const [what, { settled, away = -Infinity, now }, expected] of TICKS) {
  test.each(["none", "last", "all"] as const)(`${what}, catchUp: %s`, (catchUp) => {
    const at = (seconds: number): number => NOON_MS + seconds * 1_000;
    const taken = takeTicks(everyMinute, { settledMs: at(settled), awayUntilMs: at(away), nowMs: at(now), catchUp });
    const due = taken.due.map(({ atMs, madeUp }) => `${madeUp ? "+" : ""}${(atMs - NOON_MS) / 1_000}`);
    expect([...(taken.lostSinceMs === null ? [] : ["lost"]), ...due].join(" ")).toBe(expected[catchUp]);
    if (taken.lostSinceMs !== null) expect(taken.lostSinceMs).toBe(at(60));
  });
}

test("of very many that were missed, the newest hundred are made up for", () => {
  const { due, lostSinceMs } = takeTicks(everyMinute, { settledMs: NOON_MS, awayUntilMs: -Infinity, nowMs: NOON_MS + 300 * MINUTE_MS, catchUp: "all" });
  expect(due).toHaveLength(100);
  expect(due[0]).toEqual({ atMs: NOON_MS + 201 * MINUTE_MS, madeUp: true });
  expect(due.at(-1)).toEqual({ atMs: NOON_MS + 300 * MINUTE_MS, madeUp: false });
  expect(lostSinceMs).toBe(NOON_MS + MINUTE_MS);
});

test("a clock that was set back far is believed, one that was set back a little is waited for", () => {
  expect(settledAt(NOON_MS, NOON_MS + 1)).toBe(NOON_MS);
  expect(settledAt(NOON_MS, NOON_MS - SET_BACK_MS)).toBe(NOON_MS);
  expect(settledAt(NOON_MS, NOON_MS - SET_BACK_MS - 1)).toBe(NOON_MS - SET_BACK_MS - 1);
});

test.each([
  ["skip", false, false, "skip"],
  ["skip", false, true, "put-serialized"],
  ["skip", true, false, "put-serialized"],
  ["queue", false, false, "put-serialized"],
  ["queue", true, true, "put-serialized"],
  ["allow", false, false, "put"],
  ["allow", true, true, "put"],
] as const)("overlap: %s, made up for: %s, the last is over: %s → %s", (overlap, madeUp, lastIsOver, expected) => {
  expect(tickOutcome(overlap, { madeUp, lastIsOver })).toBe(expected);
});

test("of ticks that can't get a task the newest is still wanted, or each where each is made up for", () => {
  const waiting: DueTick[] = Array.from({ length: 130 }, (_, at) => ({ atMs: at, madeUp: false }));
  expect(stillWanted(waiting, "none")).toEqual(waiting.slice(-1));
  expect(stillWanted(waiting, "last")).toEqual(waiting.slice(-1));
  expect(stillWanted(waiting, "all")).toEqual(waiting.slice(-100));
  expect(stillWanted([], "none")).toEqual([]);
});
