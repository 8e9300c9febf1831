import { expect, test } from "vitest";
import { needsParameters } from "./constructor-source.ts";

test("optional parameters are known by their question mark", () => {
  expect(needsParameters(["class Model { constructor(private readonly size?: string) {} }"], "Model", 1)).toBe(false);
  expect(needsParameters(["class Model { constructor(size: string) {} }"], "Model", 1)).toBe(true);
  expect(needsParameters(["class Model { constructor(size: string, name?: string) {} }"], "Model", 2)).toBe(true);
});

test("types with commas, arrows and strings do not lead astray", () => {
  const source = 'class Model<T> extends Base {\n  constructor(a?: Map<string, () => void>, b?: "x)" | { c: [number, string] }, c = 1) {} }';
  expect(needsParameters([source], "Model", 2)).toBe(false);
});

test("a class that no text has, or has without a constructor, is given the benefit of the doubt", () => {
  expect(needsParameters([], "Model", 1)).toBe(false);
  expect(needsParameters(["class Model {} class Other { constructor(a: string) {} }"], "Model", 1)).toBe(false);
  expect(needsParameters(["class Models { constructor(a: string) {} }"], "Model", 1)).toBe(false);
});

test("a comment that names the class hides nothing, and of two classes of one name the lenient one counts", () => {
  expect(needsParameters(["// class Model is small\nexport class Model { constructor(a: string) {} }"], "Model", 1)).toBe(true);
  expect(needsParameters(["class Model { constructor(a: string) {} }", "class Model { constructor(a?: string) {} }"], "Model", 1)).toBe(false);
});
