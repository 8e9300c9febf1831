import { expect, test } from "vitest";
import { encodeJson } from "./json.ts";

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
}
class Shown extends Money {
  toJSON(): string {
    return `${this.cents} c`;
  }
}

test.each<[unknown, string]>([
  [undefined, "null"],
  [null, "null"],
  ["é\n", '"é\\n"'],
  [[1, undefined, true], "[1,null,true]"],
  [{ a: undefined, b: { c: [] } }, '{"b":{"c":[]}}'],
  [Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  [{ price: new Shown(5) }, '{"price":"5 c"}'],
])("%j is sent as JSON", (value, json) => {
  expect(encodeJson(value)).toBe(json);
});

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

test.each<[string, unknown, string]>([
  ["a Map", { m: new Map() }, "$.m is a Map. Send Object.fromEntries(it)"],
  ["a Set", [new Set()], "$[0] is a Set"],
  ["a Date", { at: { then: new Date() } }, "$.at.then is a Date. Send it.toISOString()"],
  ["a BigInt", { n: 1n }, "$.n is a BigInt. Send it.toString()"],
  ["bytes", { b: new Uint8Array(1) }, "$.b is bytes"],
  ["NaN", [1, NaN], "$[1] is NaN"],
  ["a function", { f() {} }, "$.f is a function"],
  ["a symbol", Symbol("s"), "$ is a symbol"],
  ["a class instance", { p: new Money(1) }, "$.p is an instance of Money"],
  ["an Error", { e: new Error("x") }, "$.e is an instance of Error"],
  ["a cycle", cycle, "$.self is a cycle"],
])("%s is refused with its path and what to send instead", (_, value, message) => {
  expect(() => encodeJson(value)).toThrow(message);
  expect(() => encodeJson(value)).toThrow(expect.objectContaining({ code: "unserializable_result" }));
});

test("nesting beyond the limit is refused, never a stack overflow", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  expect(() => encodeJson(deep)).toThrow("nested deeper than 512");
});
