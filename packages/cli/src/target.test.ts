import { expect, test } from "vitest";
import { parseTarget } from "./target.ts";

const FILES = new Set(["/w/app.ts", "/w/a:b.ts", "/w/a", "/w/sub/app.ts"]);
const probe = (path: string) => (FILES.has(path) ? ("file" as const) : path === "/w/sub" ? ("folder" as const) : null);
const parse = (text: string) => parseTarget(text, "/w", probe);

test.each([
  ["app.ts", "/w/app.ts", null, null],
  ["./app.ts", "/w/app.ts", null, null],
  ["/w/app.ts:predict", "/w/app.ts", "predict", null],
  ["app.ts:model.tokens", "/w/app.ts", "model", "tokens"],
  ["sub/app.ts:m", "/w/sub/app.ts", "m", null],
])("%s is taken apart", (text, file, name, method) => {
  expect(parse(text)).toMatchObject({ file, name, method });
});

test("a file whose own name has a colon is that file", () => {
  expect(parse("a:b.ts")).toMatchObject({ file: "/w/a:b.ts", name: null });
  expect(parse("a:b.ts:predict")).toMatchObject({ file: "/w/a:b.ts", name: "predict" });
});

test.each([
  ["nope.ts", /There is no file nope\.ts: looked for \/w\/nope\.ts/],
  ["nope.ts:predict", /There is no file nope\.ts: looked for \/w\/nope\.ts/],
  ["sub", /sub is a folder/],
  ["app.ts:", /Nothing stands after the colon/],
  ["app.ts:.x", /is not NAME or NAME\.METHOD/],
  ["app.ts:model.", /is not NAME or NAME\.METHOD/],
  [":predict", /There is no file :predict/],
])("%s is refused", (text, message) => {
  expect(() => parse(text)).toThrow(message);
});
