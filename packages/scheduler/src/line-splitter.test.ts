import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

function split(...chunks: (string | Uint8Array)[]): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(Buffer.from(chunk as Uint8Array));
  splitter.flush();
  return lines;
}

test("lines come out whole, however they were cut", () => {
  expect(split("one\ntw", "o\n\nthr", "ee")).toEqual(["one", "two", "", "three"]);
});

test("carriage returns at line ends are dropped", () => {
  expect(split("one\r\ntwo\r\n")).toEqual(["one", "two"]);
});

test("a character that is cut in two by a chunk stays whole", () => {
  const bytes = Buffer.from("é\n");
  expect(split(bytes.subarray(0, 1), bytes.subarray(1))).toEqual(["é"]);
});

test("a line without end is handed over in pieces and memory stays bounded", () => {
  const lines = split("x".repeat(40_000), "y".repeat(40_000));
  expect(lines.every((line) => line.length <= 16 * 1024)).toBe(true);
  expect(lines.join("")).toBe("x".repeat(40_000) + "y".repeat(40_000));
});
