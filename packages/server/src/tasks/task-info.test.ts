import { expect, test } from "vitest";
import { CONTENT_TYPES, encodeValue } from "@samovar/protocol";
import { toTaskDetail, viewBody } from "./task-info.ts";
import { recordOf } from "./tasks.fixture.ts";

test.for<[type: string | null, body: Uint8Array, view: unknown]>([
  ["application/json", Buffer.from('{"a":1}'), { a: 1 }],
  ["application/problem+json; charset=utf-8", Buffer.from("[]"), []],
  ["application/json", Buffer.from("{broken"), "{broken"],
  ["application/json", Buffer.from([0x7b, 0xff]), "e/8="],
  ["text/html", Buffer.from("<p>é"), "<p>é"],
  ["text/plain", Buffer.from([0xff, 0xfe]), "//4="],
  ["image/png", Buffer.from([1, 2]), "AQI="],
  [null, Buffer.from([1]), "AQ=="],
  ["application/json", Buffer.alloc(0), undefined],
  [
    CONTENT_TYPES.value,
    encodeValue({ at: new Date(0), n: 2n ** 70n, bytes: Buffer.from("hi"), none: Number.NaN }),
    { at: "1970-01-01T00:00:00.000Z", n: "1180591620717411303424", bytes: "aGk=", none: "NaN" },
  ],
  [CONTENT_TYPES.value, encodeValue(new Map<unknown, unknown>([["a", new Set([1])]])), { a: [1] }],
  [CONTENT_TYPES.value, encodeValue(new Map([[1, "x"]])), [[1, "x"]]],
])("%s is shown as JSON shows it best", ([type, body, view]) => {
  expect(viewBody(type, body)).toEqual(view);
});

const NOTHING_MORE = { reason: null, callback: null, maxResultBytes: 1_000 };

test("a detail has the result, the input where it is small, and what the task waits for", () => {
  const head = '[200,[["content-type","application/json"]]]';
  const detail = toTaskDetail(
    recordOf({ status: "COMPLETE", input: Buffer.from('{"n":1}'), result: { encoding: head, bytes: Buffer.from("2") } }),
    NOTHING_MORE,
  );
  expect(detail).toMatchObject({ input: { n: 1 }, result: 2, resultType: "application/json", reason: null });
  expect(toTaskDetail(recordOf({ input: Buffer.alloc(100_000, " ") }), { ...NOTHING_MORE, reason: "others are before it" })).toMatchObject({
    reason: "others are before it",
  });
  expect(toTaskDetail(recordOf({ input: Buffer.alloc(100_000, " ") }), NOTHING_MORE)).not.toHaveProperty("input");
});

test("a result that is larger than asked for is left out, and its size told", () => {
  const result = { encoding: '[200,[["content-type","text/plain"]]]', bytes: Buffer.alloc(1_001, "x") };
  const detail = toTaskDetail(recordOf({ status: "COMPLETE", result }), NOTHING_MORE);
  expect(detail).not.toHaveProperty("result");
  expect(detail).toMatchObject({ resultType: "text/plain", resultBytes: 1_001 });
});
