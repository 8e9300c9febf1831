import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { SamovarError } from "@samovar/protocol";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";
import { parseParameters, readInput } from "./run-input.ts";

const made: TestIo[] = [];
const create = (stdin?: string): TestIo => {
  const io = createTestIo(stdin === undefined ? {} : { stdin });
  made.push(io);
  return io;
};
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

test("JSON is the input; left out it is undefined", async () => {
  expect(await readInput('{"a":1}', create())).toEqual({ a: 1 });
  expect(await readInput(undefined, create())).toBeUndefined();
});

test("- reads stdin, @ a file as seen from the working folder", async () => {
  expect(await readInput("-", create("[1]"))).toEqual([1]);
  const io = create();
  writeFileSync(join(io.folder, "in.json"), '"x"');
  expect(await readInput("@in.json", io)).toBe("x");
});

test("a word without quotes is told how to be a string", async () => {
  const error = await readInput("hello", create()).catch((thrown: unknown) => thrown as SamovarError);
  expect(error).toMatchObject({ code: "invalid_json", fields: { fix: `A string needs its quotes: '"hello"'` } });
});

test("a file that isn't there is named", async () => {
  await expect(readInput("@nope.json", create())).rejects.toThrow("--input @nope.json can't be read");
});

test("parameters are an array, or one value", () => {
  expect(parseParameters(undefined)).toEqual([]);
  expect(parseParameters('["large",1]')).toEqual(["large", 1]);
  expect(parseParameters('"large"')).toEqual(["large"]);
  expect(() => parseParameters("large")).toThrow("--with is not JSON");
});
