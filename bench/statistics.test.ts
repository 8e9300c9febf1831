import { describe, expect, test } from "vitest";
import { compareRounds, difference, percentile, ratio, toSpread } from "./statistics.ts";

describe("percentile", () => {
  test("does not need the values in order, and leaves them in theirs", () => {
    const values = [10, 2, 33];
    expect(percentile(values, 0.5)).toBe(10);
    expect(values).toEqual([10, 2, 33]);
  });

  test("lies between two values in proportion", () => {
    expect(percentile([1, 2], 0.5)).toBe(1.5);
    expect(percentile([0, 10, 20, 30], 0.9)).toBeCloseTo(27);
  });

  test("orders numbers as numbers", () => {
    expect(percentile([9, 10, 100], 0)).toBe(9);
  });

  test("of one value is that value", () => {
    expect([percentile([7], 0), percentile([7], 0.99)]).toEqual([7, 7]);
  });

  test("of nothing is refused", () => {
    expect(() => percentile([], 0.5)).toThrow("No values");
  });
});

test("a spread has the least, the middle and the greatest", () => {
  expect(toSpread([5, 1, 3])).toEqual({ min: 1, median: 3, max: 5 });
});

describe("compareRounds", () => {
  test("compares within each round, so a slow spell of the machine cancels out", () => {
    expect(compareRounds([50, 5, 20], [100, 10, 40], ratio)).toEqual({ min: 0.5, median: 0.5, max: 0.5 });
    expect(compareRounds([3, 30], [1, 20], difference)).toEqual({ min: 2, median: 6, max: 10 });
  });

  test("refuses rounds that are not pairs", () => {
    expect(() => compareRounds([1], [1, 2], ratio)).toThrow("not pairs: 1 and 2");
  });
});
