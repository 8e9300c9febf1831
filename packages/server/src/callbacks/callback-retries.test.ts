import { describe, expect, test } from "vitest";
import { decideCallback, MAX_CALLBACK_ATTEMPTS, type CallbackAnswer } from "./callback-retries.ts";

const NOW = Date.parse("2026-11-22T06:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const answered = (status: number, more: Partial<Extract<CallbackAnswer, { kind: "answered" }>> = {}): CallbackAnswer => {
  return { kind: "answered", status, retryAfter: null, location: null, text: "", ...more };
};
const decide = (answer: CallbackAnswer, attempt = 1, random = 0.5) => decideCallback(answer, attempt, NOW, random);
const delayOf = (answer: CallbackAnswer, attempt = 1, random = 0.5): number => {
  const outcome = decide(answer, attempt, random);
  return outcome.kind === "again" ? outcome.dueAtMs - NOW : -1;
};

test.each([
  [200, "delivered"],
  [204, "delivered"],
  [299, "delivered"],
  [410, "failed"],
  [301, "again"],
  [400, "again"],
  [404, "again"],
  [429, "again"],
  [500, "again"],
])("%i: %s", (status, kind) => {
  expect(decide(answered(status)).kind).toBe(kind);
});

test("twelve tries come in not quite three days, then it has failed for good", () => {
  const delays = Array.from({ length: 20 }, (_, at) => delayOf(answered(503), at + 1));
  expect(delays.filter((delay) => delay >= 0)).toHaveLength(MAX_CALLBACK_ATTEMPTS - 1);
  expect(delays.slice(0, 6)).toEqual([5_000, 30_000, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR]);
  const totalHours = delays.filter((delay) => delay >= 0).reduce((a, b) => a + b, 0) / HOUR;
  expect([MAX_CALLBACK_ATTEMPTS, Math.round(totalHours)]).toEqual([12, 67]);
  expect(decide(answered(503), MAX_CALLBACK_ATTEMPTS)).toEqual({ kind: "failed", atMs: NOW, error: "503" });
});

test("a delay is a fifth shorter to a fifth longer", () => {
  expect([delayOf(answered(500), 1, 0), delayOf(answered(500), 1, 0.999_999)]).toEqual([4_000, 6_000]);
});

describe("retry-after is honoured up to the next step", () => {
  test.each([
    ["20", 20_000],
    ["1", 5_000],
    ["86400", 30_000],
    [new Date(NOW + 25_000).toUTCString(), 25_000],
    [new Date(NOW - 25_000).toUTCString(), 5_000],
    ["soon", 5_000],
    ["-5", 5_000],
    ["9".repeat(400), 5_000],
  ])("%s: %i ms", (retryAfter, delay) => {
    expect(delayOf(answered(429, { retryAfter }))).toBe(delay);
  });
});

test.each([
  [answered(503, { text: "  down\r\n for\u001b[31m repair\u202e  " }), "503: down for [31m repair"],
  [answered(302, { location: "http://169.254.169.254/\n" }), "302: redirects are not followed (to http://169.254.169.254/): give the URL that it leads to"],
  [answered(304), "304"],
  [{ kind: "unanswered", error: "connect ECONNREFUSED", isFinal: false } as const, "connect ECONNREFUSED"],
  [answered(500, { text: "x".repeat(1_000) }), `500: ${"x".repeat(300)}…`],
])("what it met is told in one short line: %#", (answer, error) => {
  expect(decide(answer)).toMatchObject({ kind: "again", error });
});

test("what is refused whenever it is tried has failed at once", () => {
  expect(decide({ kind: "unanswered", error: "no", isFinal: true })).toEqual({ kind: "failed", atMs: NOW, error: "no" });
});
