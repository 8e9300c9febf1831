import { expect, test } from "vitest";
import { createIdSource } from "./ids.ts";

const zeros = (bytes: Uint8Array): unknown => bytes.fill(0);

test("ids have the prefix of their kind and 20 characters, and differ", () => {
  const ids = createIdSource();
  for (const [kind, prefix] of [
    ["container", "ct"],
    ["task", "tk"],
  ] as const) {
    const made = Array.from({ length: 1_000 }, () => ids(kind));
    expect(new Set(made).size).toBe(1_000);
    for (const id of made) expect(id).toMatch(new RegExp(`^${prefix}_[0-9a-hjkmnp-tv-z]{20}$`));
  }
});

test.each(["task", "callback"] as const)("ids of a %s sort in the order they were made, also within a millisecond and when the clock is set back", (kind) => {
  let nowMs = 1_800_000_000_000;
  const ids = createIdSource(zeros, () => nowMs);
  const made = [];
  for (const step of [0, 0, 1, -5_000, 0, 10_000]) {
    nowMs += step;
    for (let i = 0; i < 1_000; i++) made.push(ids(kind));
  }
  expect(made.toSorted()).toEqual(made);
  expect(new Set(made).size).toBe(made.length);
});

test("two servers that make a task's id in the same millisecond make different ones", () => {
  const now = () => 1_800_000_000_000;
  expect(createIdSource(undefined, now)("task")).not.toBe(createIdSource(undefined, now)("task"));
});
