import { expect, test } from "vitest";
import { describeNear, nearNames } from "./near-names.ts";

test("near names are those a typing mistake away, nearest first, at most three", () => {
  expect(nearNames("predct", ["train", "predict", "predicts", "Predict2", "pr"])).toEqual(["predict", "Predict2", "predicts"]);
  expect(nearNames("PREDICT", ["predict"])).toEqual(["predict"]);
  expect(nearNames("sum", ["summarize", "x"])).toEqual(["summarize"]);
  expect(nearNames("zzz", ["predict"])).toEqual([]);
});

test("a very long name costs no more than a short one", () => {
  expect(
    nearNames(
      "x".repeat(20_000),
      Array.from({ length: 1_000 }, (_, i) => `predict${i}`),
    ),
  ).toEqual([]);
});

test("without a near one, what there is: listed while it is little", () => {
  expect(describeNear("zzz", ["b", "a", "a"], "methods")).toBe(". There are: a, b");
  expect(describeNear("zzz", [], "methods")).toBe(". There are no methods");
  expect(
    describeNear(
      "zzz",
      Array.from({ length: 11 }, (_, i) => `name${i}`),
      "methods",
    ),
  ).toBe(". There are 11 methods");
});
