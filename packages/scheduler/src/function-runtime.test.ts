import { expect, test } from "vitest";
import { canonicalJson } from "./function-runtime.ts";

test("equal constructor arguments have one key, however their fields are ordered", () => {
  expect(canonicalJson([{ b: 1, a: { d: 2, c: 3 } }, "x"])).toBe(canonicalJson([{ a: { c: 3, d: 2 }, b: 1 }, "x"]));
});

test("different constructor arguments have different keys", () => {
  expect(canonicalJson([["a", "b"]])).not.toBe(canonicalJson([["b", "a"]]));
  expect(canonicalJson(["1"])).not.toBe(canonicalJson([1]));
});
