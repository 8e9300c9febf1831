import { expect, test } from "vitest";
import { describeNear, findNear, nearNames, sortByNearness } from "./near.ts";

test("near is what a typing mistake makes of a name; a swap of two letters is one mistake", () => {
  expect(findNear("predcit", ["train", "predicts", "predict", "PREDICT2"])).toEqual(["predict", "predicts", "PREDICT2"]);
  expect(findNear("hallo", ["hello", "predict"])).toEqual(["hello"]);
  expect(findNear("secrets", ["retries", "timeout"])).toEqual([]);
  expect(findNear("anything", [])).toEqual([]);
});

test("of three letters one may be wrong: more would make everything near", () => {
  expect(findNear("abc", ["abd", "xyc"])).toEqual(["abd"]);
});

test("a beginning of a name is near, if it says enough", () => {
  expect(findNear("max", ["maxRetries", "on"])).toEqual(["maxRetries"]);
  expect(findNear("maxRetryCount", ["max"])).toEqual(["max"]);
  expect(findNear("p", ["predict"])).toEqual([]);
});

test("sorted by nearness, the others keep their order", () => {
  expect(sortByNearness("hallo", ["zz", "hello", "yy"])).toEqual(["hello", "zz", "yy"]);
});

test("a very long name costs no more than a short one", () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `predict${i}`);
  expect(findNear("x".repeat(20_000), names)).toEqual([]);
});

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
