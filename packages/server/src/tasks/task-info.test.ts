import { expect, test } from "vitest";
import { CONTENT_TYPES, encodeValue } from "@samovar/protocol";
import { toTaskDetail, viewBody } from "./task-info.ts";
import { recordOf } from "./tasks.fixture.ts";

test.for<[type: string | null, body: Uint8Array, view: unknown]>([
  ["application/json", Buffer.from('{"a":1}'), { a: 1 }],
  ["application/problem+json; charset=utf-8", Buffer.from("[]"), []],
  ["application/json", Buffer.from("{broken"), Buffer.from("{broken").toString("base64")],
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

test("a detail has the result, the input where it is small, and what the task waits for", () => {
  const head = '[200,[["content-type","application/json"]]]';
  const detail = toTaskDetail(recordOf({ status: "COMPLETE", input: Buffer.from('{"n":1}'), result: { encoding: head, bytes: Buffer.from("2") } }), null, null);
  expect(detail).toMatchObject({ input: { n: 1 }, result: 2, resultType: "application/json", reason: null });
  expect(toTaskDetail(recordOf({ input: Buffer.alloc(100_000, " ") }), "others are before it", null)).toMatchObject({ reason: "others are before it" });
  expect(toTaskDetail(recordOf({ input: Buffer.alloc(100_000, " ") }), null, null)).not.toHaveProperty("input");
});
