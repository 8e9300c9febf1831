import { expect, test } from "vitest";
import { SamovarError } from "./errors.ts";
import { seeded } from "./random.fixture.ts";
import { decodeValue, encodeValue, formatPath } from "./values.ts";

const roundTrip = (value: unknown): unknown => decodeValue(encodeValue(value));

test.each([
  ["nothing", [null, undefined, true, false]],
  [
    "integers at the edges of every width",
    [
      0,
      1,
      127,
      128,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      Number.MAX_SAFE_INTEGER,
      -1,
      -32,
      -33,
      -128,
      -129,
      -32_768,
      -32_769,
      -(2 ** 31),
      -(2 ** 31) - 1,
      Number.MIN_SAFE_INTEGER,
    ],
  ],
  ["other numbers", [0.1, -0, NaN, Infinity, -Infinity, 1e300, 2 ** 53, -(2 ** 60)]],
  ["BigInts, small ones included", [0n, -1n, 2n ** 53n, 2n ** 64n, -(10n ** 40n)]],
  [
    "strings at the edges of every length",
    ["", "a", "é", "x".repeat(31), "x".repeat(32), "é".repeat(16), "x".repeat(255), "x".repeat(256), "x".repeat(70_000), "😀"],
  ],
  ["bytes", [new Uint8Array(0), new Uint8Array([0, 255]), new Uint8Array(300), new Uint8Array(70_000)]],
  ["dates", [new Date(0), new Date(1), new Date(-1), new Date("1900-01-01T00:00:00.123Z"), new Date("2100-01-01T00:00:00.999Z"), new Date(8.64e15)]],
  ["arrays", [[], [1, [2, [3]]], Array.from({ length: 20 }, (_, i) => i), Array.from({ length: 70_000 }, () => null)]],
  ["objects", [{}, { a: { b: undefined } }, Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i]))]],
  [
    "Maps and Sets with keys of any kind",
    [
      new Map(),
      new Map<unknown, unknown>([
        [1, "a"],
        [{ x: 1 }, new Set([new Map()])],
      ]),
      new Set([1, "1", 1n]),
    ],
  ],
])("%s come back as they were", (_, values) => {
  for (const value of values) expect(roundTrip(value)).toStrictEqual(value);
});

test("an object without prototype, and of another realm, comes back plain", () => {
  expect(roundTrip(Object.assign(Object.create(null) as object, { a: 1 }))).toStrictEqual({ a: 1 });
});

test("a key named __proto__ is a key", () => {
  const value = JSON.parse('{"__proto__":{"polluted":true}}') as object;
  const back = roundTrip(value) as object;
  expect(Object.keys(back)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("errors cross with name, message, stack, cause, and members; ours with code and fields", () => {
  const cause = new TypeError("root");
  const error = Object.assign(new RangeError("broke", { cause }), { secret: "stays" });
  const back = roundTrip(error) as Error;
  expect(back).toBeInstanceOf(Error);
  expect([back.name, back.message, back.stack, (back.cause as Error).name]).toEqual(["RangeError", "broke", error.stack, "TypeError"]);
  expect("secret" in back).toBe(false);
  const ours = roundTrip(new SamovarError("timeout", "late", { fields: { hook: "load" } })) as SamovarError;
  expect(ours).toBeInstanceOf(SamovarError);
  expect([ours.code, ours.fields]).toEqual(["timeout", { hook: "load" }]);
  const many = roundTrip(new AggregateError([new Error("a"), "b"], "both")) as AggregateError;
  expect(many.errors.map((e: Error) => e.message)).toEqual(["a", "A non-error was thrown: b"]);
});

test("an error whose cause goes round, or whose fields can't be sent, still crosses", () => {
  const round = new Error("round");
  round.cause = round;
  expect((roundTrip(round) as Error).message).toBe("round");
  const odd = roundTrip(new SamovarError("internal", "odd", { fields: { f: () => 1 } })) as SamovarError;
  expect([odd.message, odd.fields]).toEqual(["odd", {}]);
});

class Point {
  x = 1;
}
const cycle: { a: { back?: unknown } } = { a: {} };
cycle.a.back = cycle;
let deep: unknown = 1;
for (let i = 0; i < 600; i++) deep = [deep];

test.each<[string, unknown, string]>([
  ["a function", { user: { run: () => 1 } }, "$.user.run is a function"],
  ["a symbol", [1, Symbol("s")], "$[1] is a symbol"],
  ["a class instance", { user: { tags: [0, new Point()] } }, "$.user.tags[1] is an instance of Point"],
  ["a cycle", cycle, "$.a.back is a cycle"],
  ["a WeakMap", { "odd key": new WeakMap() }, '$["odd key"] is an instance of WeakMap'],
  ["a typed array that is not bytes", { v: new Float64Array(2) }, "$.v is a Float64Array"],
  ["an invalid Date", { at: new Date(NaN) }, "$.at is an invalid Date"],
  ["what lies in a Map", new Map([["k", () => 1]]), "$.k is a function"],
  ["half a character", { s: "ab\ud800" }, "$.s is text with half a character"],
  ["a promise", Promise.resolve(), "$ is an instance of Promise"],
])("%s is refused with its path", (_, value, message) => {
  expect(() => encodeValue(value)).toThrow(message);
  expect(() => encodeValue(value)).toThrow(expect.objectContaining({ code: "unserializable_result" }));
  expect(() => encodeValue(value, "unserializable_input")).toThrow(expect.objectContaining({ code: "unserializable_input" }));
});

test("nesting beyond the limit is refused on both sides, never a stack overflow", () => {
  expect(() => encodeValue(deep)).toThrow(/nested deeper than/);
  expect(() => decodeValue(Buffer.alloc(100_000, 0x91))).toThrow(/nested deeper than/);
});

test("the same object twice is no cycle", () => {
  const shared = { n: 1 };
  expect(roundTrip([shared, shared])).toStrictEqual([{ n: 1 }, { n: 1 }]);
});

test("bytes that were decoded do not change with the buffer they came in", () => {
  const encoded = encodeValue(new Uint8Array([1, 2, 3]));
  const value = decodeValue(encoded) as Uint8Array;
  encoded.fill(0);
  expect([...value]).toEqual([1, 2, 3]);
});

test("random values come back as they were", () => {
  const random = seeded(7);
  const pick = (n: number): number => Math.floor(random() * n);
  const make = (depth: number): unknown => {
    switch (pick(depth > 4 ? 8 : 12)) {
      case 0:
        return null;
      case 1:
        return undefined;
      case 2:
        return random() < 0.5;
      case 3:
        return pick(2 ** 31) * (random() < 0.5 ? 1 : -1) * 2 ** pick(20);
      case 4:
        return random() * 1e9;
      case 5:
        return String.fromCodePoint(...Array.from({ length: pick(40) }, () => 0x20 + pick(0x500)));
      case 6:
        return BigInt(pick(2 ** 31)) ** BigInt(pick(4));
      case 7:
        return random() < 0.5 ? new Date(pick(2 ** 31) * 1_000 + pick(1_000)) : Uint8Array.from({ length: pick(50) }, () => pick(256));
      case 8:
        return Array.from({ length: pick(20) }, () => make(depth + 1));
      case 9:
        return new Map(Array.from({ length: pick(6) }, () => [make(depth + 2), make(depth + 1)]));
      case 10:
        return new Set(Array.from({ length: pick(6) }, () => make(depth + 1)));
      default:
        return Object.fromEntries(Array.from({ length: pick(20) }, (_, i) => [`key ${i} ${pick(1_000)}`, make(depth + 1)]));
    }
  };
  for (let i = 0; i < 2_000; i++) {
    const value = make(0);
    expect(roundTrip(value)).toStrictEqual(value);
  }
});

test("bytes that are no value are refused as such, whatever they are", () => {
  const random = seeded(11);
  const whole = encodeValue({ a: [1, new Map([["k", 2n]]), new Date(5), new Uint8Array(40)], e: new Error("x"), s: new Set(["é"]) });
  const attempt = (bytes: Uint8Array): void => {
    try {
      decodeValue(bytes);
    } catch (error) {
      if (!(error instanceof SamovarError) || error.code !== "protocol_error") throw error;
    }
  };
  for (let i = 0; i < whole.length; i++) expect(() => decodeValue(whole.subarray(0, i))).toThrow(expect.objectContaining({ code: "protocol_error" }));
  for (let i = 0; i < 5_000; i++) {
    const bytes = Buffer.from(whole);
    for (let flips = 1 + Math.floor(random() * 4); flips > 0; flips--) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    attempt(bytes);
    attempt(Uint8Array.from({ length: Math.floor(random() * 64) }, () => Math.floor(random() * 256)));
  }
});

test.each<[string, number[], string]>([
  ["bytes left over", [0xc0, 0xc0], "left over"],
  ["an array that claims more than there is", [0xdd, 0xff, 0xff, 0xff, 0xff], "longer than the bytes"],
  ["the unused tag", [0xc1], "0xc1"],
  ["an unknown extension", [0xd4, 99, 0], "extension type 99"],
  ["a date that is none", [0xc7, 12, 0xff, ...Array.from({ length: 12 }, () => 0x7f)], "timestamp"],
  ["text that is not UTF-8", [0xa1, 0xff], "UTF-8"],
  ["a Map with a key and no value", [0xc7, 2, 1, 0x91, 1], "key and no value"],
])("%s is malformed", (_, bytes, message) => {
  expect(() => decodeValue(Uint8Array.from(bytes))).toThrow(message);
});

test("paths read as the code that reaches there", () => {
  expect(formatPath([])).toBe("$");
  expect(formatPath(["user", "tags", 2, "a-b"])).toBe('$.user.tags[2]["a-b"]');
});

test("a value whose getter encodes another one, and one that comes after a refused one, are encoded whole", () => {
  let inner: Buffer | null = null;
  const outer = {
    before: "x".repeat(300),
    get nested() {
      inner = encodeValue({ deep: [1, "two"] });
      return inner.length;
    },
    after: [true],
  };
  const bytes = encodeValue(outer);
  expect(decodeValue(inner!)).toEqual({ deep: [1, "two"] });
  expect(decodeValue(bytes)).toEqual({ before: "x".repeat(300), nested: inner!.length, after: [true] });
  expect(() => encodeValue({ a: { b: () => 1 } })).toThrow("$.a.b");
  expect(() => encodeValue({ c: () => 1 })).toThrow(/^\$\.c /);
  expect(decodeValue(encodeValue(outer.after))).toEqual([true]);
});

test("what was encoded stays as it is when the next value is", () => {
  const values = ["small", "l".repeat(10_000), { again: "small" }];
  const encoded = values.map((value) => encodeValue(value));
  expect(encoded.map(decodeValue)).toEqual(values);
});

test("what a value that was refused had taken is not carried by the next one", () => {
  const large = [Buffer.alloc(1_000_000), () => 1];
  expect(() => encodeValue(large)).toThrow(expect.objectContaining({ code: "unserializable_result" }));
  expect(encodeValue("x").buffer.byteLength).toBeLessThan(1_000_000);
});
