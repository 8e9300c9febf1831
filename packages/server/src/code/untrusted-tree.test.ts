import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { BuildStore } from "./build-store.ts";
import { staysInside, walkUntrusted } from "./untrusted-tree.ts";

let root: string;
let work: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-tree-"));
  work = join(root, "work");
  await mkdir(join(work, "lib"), { recursive: true });
  await mkdir(join(root, "secrets"));
  await writeFile(join(root, "secrets/a.txt"), "secret");
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

test("a folder or file that becomes a link while it is walked is not followed", async () => {
  await writeFile(join(work, "lib/a.txt"), "a");
  await writeFile(join(work, "lib/b.txt"), "b");
  await mkdir(join(work, "more"));
  const seen: string[] = [];
  const walking = (async () => {
    for await (const entry of walkUntrusted(work)) {
      seen.push(entry.kind === "file" ? await entry.handle.readFile("utf8") : entry.target);
      if (seen.length > 1) continue;
      // What has been listed already is swapped: the folder that is being walked, the next file, the next folder.
      await rename(join(work, "lib"), join(work, "gone"));
      await symlink(join(root, "secrets"), join(work, "lib"));
      await rename(join(work, "more"), join(work, "gone/more"));
      await symlink(join(root, "secrets"), join(work, "more"));
    }
  })();
  await expect(walking).rejects.toMatchObject({ code: "build_failed", message: expect.stringContaining("changed while it was collected: more") });
  expect(seen).toEqual(["a", "b"]);
});

test("pipes are passed over, and too many folders in each other are refused", async () => {
  execFileSync("mkfifo", [join(work, "pipe")]);
  await mkdir(join(work, ...Array.from({ length: 70 }, () => "d")), { recursive: true });
  await expect(Array.fromAsync(walkUntrusted(work))).rejects.toThrow("more than 64 deep");
});

test.each([
  ["link", "lib/a", true],
  ["link", "./lib//a", true],
  ["lib/link", "..", true],
  ["lib/link", "../other/b", true],
  ["lib/link", "../..", false],
  ["link", "..", false],
  ["link", "/etc", false],
  // By way of a link that leads up, this would leave the folder, though its text alone does not.
  ["link", "lib/up/lib/up/../..", false],
])("a link at %s to %s stays inside: %s", (path, target, inside) => {
  expect(staysInside(path, target)).toBe(inside);
});

test("a build that left more than its disk holds is refused, also in one file full of holes, and leaves nothing", async () => {
  const store = new BuildStore(join(root, "builds"), "image", new FakeClock(1));
  const code = { codeId: "code", sourceDir: join(root, "code"), entry: "app.mjs", nodeModules: [] };
  await writeFile(join(work, "holes"), "");
  await truncate(join(work, "holes"), 2 ** 40);
  await expect(store.keep("key", work, code, 1, 1)).rejects.toMatchObject({
    code: "build_failed",
    message: expect.stringContaining("more files than its disk holds"),
  });
  await truncate(join(work, "holes"), 1024 * 1024);
  expect((await readFile(join((await store.keep("key", work, code, 1, 1)).dir, "holes"))).length).toBe(1024 * 1024);
});
