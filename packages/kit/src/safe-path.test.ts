import { expect, test } from "vitest";
import { describePathProblem } from "./safe-path.ts";

test.for(["a", "a/b.txt", ".env", "..a/b", "with space/ü 語", "a/...", "a:b"])("%j is the path of a file below a folder", (path) => {
  expect(describePathProblem(path)).toBeUndefined();
});

test.for(["", "/etc/passwd", "../a", "a/../../b", "a/..", ".", "./a", "a//b", "a/", "a\\..\\b", "C:/a", "a\0b"])("%j could lead elsewhere", (path) => {
  expect(describePathProblem(path)).toBeTypeOf("string");
});

test("a path longer than any file system takes is refused", () => {
  expect(describePathProblem("a/".repeat(600) + "b")).toContain("longer");
});
