import { expect, it } from "vitest";
import { Grants } from "./grants.ts";

it("an address is opened for its time, but at least a minute, and not again while that lasts", () => {
  const grants = new Grants();
  const first = grants.plan([1, 2, 1], 5, 0);
  expect(first).toEqual([
    { address: 1, lifetimeS: 60, again: false },
    { address: 2, lifetimeS: 60, again: false },
  ]);
  // Not made yet: whoever asks at the same moment opens it too.
  expect(grants.plan([1], 5, 0)).toHaveLength(1);
  grants.made(first, 0);
  expect(grants.plan([1, 2], 5, 55_000)).toEqual([]);
  expect(grants.plan([1, 3], 5, 55_001)).toEqual([
    { address: 1, lifetimeS: 60, again: true },
    { address: 3, lifetimeS: 60, again: false },
  ]);
});

it("a longer answer makes the time longer, up to a day", () => {
  const grants = new Grants();
  grants.made(grants.plan([1], 60, 0), 0);
  expect(grants.plan([1], 300, 1)).toEqual([{ address: 1, lifetimeS: 300, again: true }]);
  expect(grants.plan([2], 1_000_000, 1)).toEqual([{ address: 2, lifetimeS: 86_400, again: false }]);
});

it("what is long over is forgotten, and what is just over may still be there", () => {
  const grants = new Grants();
  grants.made(grants.plan([1], 60, 0), 0);
  expect(grants.plan([1], 60, 69_000)).toEqual([{ address: 1, lifetimeS: 60, again: true }]);
  expect(grants.plan([1], 60, 71_000)).toEqual([{ address: 1, lifetimeS: 60, again: false }]);
});

it("has an end", () => {
  const grants = new Grants();
  const many = grants.plan(
    Array.from({ length: 8_192 }, (_, index) => index),
    60,
    0,
  );
  expect(grants.hasRoomFor(many)).toBe(true);
  grants.made(many, 0);
  expect(grants.hasRoomFor(grants.plan([9_000], 60, 0))).toBe(false);
  grants.plan([], 60, 80_000);
  expect(grants.hasRoomFor(many)).toBe(true);
});
