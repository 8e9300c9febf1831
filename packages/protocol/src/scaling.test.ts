import { expect, test } from "vitest";
import { parseScalingPatch } from "./scaling.ts";

test("what is absent stays absent, and null keeps its meaning", () => {
  expect(parseScalingPatch({})).toEqual({});
  expect(parseScalingPatch({ minContainers: 0, maxContainers: null, scaledownWindowMs: null, tasksPerContainer: 0, bufferContainers: undefined })).toEqual({
    minContainers: 0,
    maxContainers: null,
    scaledownWindowMs: null,
    tasksPerContainer: 0,
  });
});

test("everything that is wrong is told at once", () => {
  expect(() => parseScalingPatch({ minContainers: -1, maxContainers: 0, bufferContainers: "2", scaledownWindowMs: 10, workers: 3 })).toThrow(
    expect.objectContaining({
      code: "invalid_option",
      fields: {
        mistakes: [
          "minContainers is -1, but it takes a whole number, 0 or more",
          "maxContainers is 0, but it takes a whole number, 1 or more, or null",
          'bufferContainers is "2", but it takes a whole number, 0 or more',
          "scaledownWindowMs is 10, but it takes a whole number, 2000 or more, or null",
          'Unknown option "workers": scaling has minContainers, maxContainers, bufferContainers, scaledownWindow, scaledownWindowMs, tasksPerContainer',
        ],
      },
    }),
  );
});

test("a floor above the ceiling names both", () => {
  expect(() => parseScalingPatch({ minContainers: 3, maxContainers: 2 })).toThrow("minContainers (3) is above maxContainers (2)");
});

test.each([[null], [undefined], [[]], [5], [new Map()], ["minContainers"]])("%j is no change", (value) => {
  expect(() => parseScalingPatch(value)).toThrow(/A change of scaling is .*, but it takes an object of minContainers/);
});

test("names that every object has are none of its fields", () => {
  expect(() => parseScalingPatch(JSON.parse('{ "__proto__": 1, "constructor": 2 }'))).toThrow(/Unknown option "__proto__".*Unknown option "constructor"/);
});

test.each([
  [5, 5_000],
  ["5m", 300_000],
  ["2", 2_000],
  [-1, null],
])("a window may be written as %j", (scaledownWindow, scaledownWindowMs) => {
  expect(parseScalingPatch({ scaledownWindow, minContainers: 1 })).toEqual({ scaledownWindowMs, minContainers: 1 });
});

test.each([[1], ["1s"], ["soon"], [null], [-2], [Infinity], [{}]])("%j is no window", (scaledownWindow) => {
  expect(() => parseScalingPatch({ scaledownWindow })).toThrow(/^scaledownWindow is .*at least 2 s, or -1 for never$/);
});

test("the window is given once", () => {
  for (const patch of [
    { scaledownWindow: 5, scaledownWindowMs: 5_000 },
    { scaledownWindowMs: null, scaledownWindow: -1 },
  ])
    expect(() => parseScalingPatch(patch)).toThrow("scaledownWindow and scaledownWindowMs are the same option: give one of them");
});
