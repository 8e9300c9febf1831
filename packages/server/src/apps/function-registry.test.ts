import { expect, test } from "vitest";
import { createCountingIds } from "@samovar/protocol";
import { functionOf } from "../testing/app.fixture.ts";
import { FunctionRegistry } from "./function-registry.ts";

const ids = createCountingIds();

test("functions are found by id, and by name in any case under their kind and version", () => {
  const registry = new FunctionRegistry();
  const hello = functionOf("Hello", { ids });
  registry.replace([], [hello], true);
  expect(registry.byId(hello.functionId)).toBe(hello);
  expect(registry.byName("function", "hELLO")).toBe(hello);
  expect(registry.byName("function", "hello", 1)).toBe(hello);
  expect(registry.byName("function", "hello", 2)).toBeUndefined();
  expect(registry.byName("endpoint", "hello")).toBeUndefined();
});

test("functions without a route have an id only", () => {
  const registry = new FunctionRegistry();
  const hello = functionOf("hello", { ids });
  registry.replace([], [hello], false);
  expect(registry.byName("function", "hello")).toBeUndefined();
  expect(registry.list()).toEqual([hello]);
});

test("a name is taken across kinds, except by those who leave; the refusal says by whom", () => {
  const registry = new FunctionRegistry();
  const hello = functionOf("hello", { ids, app: "greeter" });
  registry.replace([], [hello], true);
  expect(() => registry.reserve(["other", "HELLO"], [], "me")).toThrow(
    expect.objectContaining({ code: "conflict", message: expect.stringContaining("The name HELLO is taken by app greeter") }),
  );
  registry.reserve(["other", "hello"], [hello], "me");
});

test("the place of the old is the new one's; an old one that leaves late takes nothing with it", () => {
  const registry = new FunctionRegistry();
  const [first, second] = [functionOf("hello", { ids }), functionOf("hello", { ids })];
  registry.replace([], [first], true);
  registry.replace([first], [second], true);
  expect([registry.byId(first.functionId), registry.byName("function", "hello")]).toEqual([undefined, second]);
  registry.replace([first], [], false);
  expect(registry.byName("function", "hello")).toBe(second);
  registry.replace([second], [], false);
  expect([registry.list(), registry.holder("hello")]).toEqual([[], undefined]);
});

test("names of a version that is being made are kept for it until it is there, or given up", () => {
  const registry = new FunctionRegistry();
  const unreserve = registry.reserve(["predict-dev"], [], "first.ts");
  expect(() => registry.reserve(["Predict-dev"], [], "second.ts")).toThrow("The name Predict-dev is taken by first.ts");
  unreserve();
  registry.reserve(["predict-dev"], [], "second.ts");
});
