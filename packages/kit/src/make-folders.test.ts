import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeFolders } from "./make-folders.ts";

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), "samovar-folders-"))));
afterEach(() => rmSync(root, { recursive: true }));

test("a folder is made with all that it lies in, with its mode; one that is there stays", () => {
  const path = join(root, "a/b/c");
  makeFolders(path, 0o700);
  makeFolders(path, 0o700);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("a file in the way is told", () => {
  writeFileSync(join(root, "file"), "");
  expect(() => makeFolders(join(root, "file"))).toThrow("EEXIST");
  expect(() => makeFolders(join(root, "file/a"))).toThrow("ENOTDIR");
});

// Linux has a folder in which nothing can be made, by anybody.
test.skipIf(!existsSync("/proc/self"))("where nothing can be made it ends, and says so", () => {
  expect(() => makeFolders("/proc/samovar/a")).toThrow("ENOENT");
});
