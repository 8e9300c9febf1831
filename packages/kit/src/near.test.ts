import { expect, test } from "vitest";
import { findNear, sortByNearness } from "./near.ts";

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
