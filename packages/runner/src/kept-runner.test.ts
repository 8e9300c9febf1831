import { mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptRunner } from "./kept-runner.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "samovar-runner-"));
});
afterEach(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));

test("A runner that was made of the same sources is used as it is", async () => {
  const made = await keptRunner(dir);
  const before = await stat(made);
  expect(await keptRunner(dir)).toBe(made);
  expect((await stat(made)).ino).toBe(before.ino);
  expect((await readdir(dir)).sort()).toEqual([made.slice(dir.length + 1), "runner.json"]);
});

test("A runner that was made of other sources stays beside the new one: containers that outlived their server run from it", async () => {
  const made = await keptRunner(dir);
  const content = await readFile(made, "utf8");
  const record = JSON.parse(await readFile(join(dir, "runner.json"), "utf8")) as { sources: string[] };
  await rename(made, join(dir, "runner-0123456789abcdef.mjs"));
  await writeFile(join(dir, "runner.json"), JSON.stringify({ ...record, file: "runner-0123456789abcdef.mjs" }));
  expect(await keptRunner(dir)).toBe(made);
  expect(await readFile(made, "utf8")).toBe(content);
  expect(await readFile(join(dir, "runner-0123456789abcdef.mjs"), "utf8")).toBe(content);
});

test("A record that was cut off, and a runner that is gone, are made anew", async () => {
  const made = await keptRunner(dir);
  await writeFile(join(dir, "runner.json"), '{"file":');
  expect(await keptRunner(dir)).toBe(made);
  await rm(made);
  expect(await keptRunner(dir)).toBe(made);
  expect((await stat(made)).size).toBeGreaterThan(0);
});
