import { expect, test } from "vitest";
import { hasOptionalParameters } from "./constructor-source.ts";

test("optional parameters are known by their question mark", () => {
  expect(hasOptionalParameters("class Model { constructor(private readonly size?: string) {} }", "Model", 1)).toBe(true);
  expect(hasOptionalParameters("class Model { constructor(size: string) {} }", "Model", 1)).toBe(false);
  expect(hasOptionalParameters("class Model { constructor(size: string, name?: string) {} }", "Model", 2)).toBe(false);
});

test("types with commas, arrows and strings do not lead astray", () => {
  const source = 'class Model<T> extends Base {\n  constructor(a?: Map<string, () => void>, b?: "x)" | { c: [number, string] }, c = 1) {} }';
  expect(hasOptionalParameters(source, "Model", 2)).toBe(true);
});

test("the constructor of another class does not count", () => {
  expect(hasOptionalParameters("class Model {} class Other { constructor(a?: string) {} }", "Model", 1)).toBe(false);
  expect(hasOptionalParameters("class Models { constructor(a?: string) {} }", "Model", 1)).toBe(false);
});
