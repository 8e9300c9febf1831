import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import type { CodeMount } from "@samovar/runtime";
import { manifestOf } from "../testing/app.fixture.ts";
import { BuildStore } from "./build-store.ts";

let root: string;
let store: BuildStore;
let code: CodeMount;
let work: string;
const clock = new FakeClock(1_700_000_000_000);

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-builds-"));
  store = new BuildStore(join(root, "builds"), "image", clock);
  code = { codeId: "code", sourceDir: join(root, "code"), entry: "app.mjs", nodeModules: [] };
  work = join(root, "work");
  for (const dir of [code.sourceDir, work]) {
    await mkdir(join(dir, "lib"), { recursive: true });
    await writeFile(join(dir, "app.mjs"), "app");
    await writeFile(join(dir, "lib/a.txt"), "same");
  }
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

test("only what the build added or changed is kept", async () => {
  await writeFile(join(work, "lib/a.txt"), "sAme");
  await mkdir(join(work, "models"));
  await writeFile(join(work, "models/weights.bin"), "w");
  const build = await store.keep("key", work, code, 5);
  expect((await readdir(build.dir, { recursive: true })).toSorted()).toEqual(["lib", "lib/a.txt", "models", "models/weights.bin"]);
  expect(await store.find("key")).toEqual(build);
  expect(await store.find("other")).toBeUndefined();
});

test("links that stay inside are kept; those that lead out, and node_modules, are not", async () => {
  await symlink("lib/a.txt", join(work, "inside"));
  await symlink("../a.txt", join(work, "lib/inside"));
  await symlink("/etc/passwd", join(work, "absolute"));
  await symlink("../../etc", join(work, "outside"));
  await symlink("lib", join(work, "node_modules"));
  const { dir } = await store.keep("key", work, code, 5);
  expect((await readdir(dir, { recursive: true })).toSorted()).toEqual(["inside", "lib", "lib/inside"]);
  expect(await readlink(join(dir, "inside"))).toBe("lib/a.txt");
});

test("a build replaces the earlier one of its key, and leaves nothing half made", async () => {
  await writeFile(join(work, "one"), "1");
  await store.keep("key", work, code, 1);
  await rm(join(work, "one"));
  await writeFile(join(work, "two"), "2");
  const { dir } = await store.keep("key", work, code, 2);
  expect(await readdir(dir)).toEqual(["two"]);
  expect(await store.find("key")).toMatchObject({ builtAtMs: 2 });
  await expect(store.keep("bad", join(root, "nowhere"), code, 3)).rejects.toThrow(/ENOENT/);
  expect(await readdir(join(root, "builds"))).toEqual(["key"]);
  expect(await readFile(join(dir, "two"), "utf8")).toBe("2");
});

test("the key changes with app, image, export, hooks and arguments, and with nothing else", () => {
  const manifest = manifestOf("model");
  const hook = (cacheKey: string) => ({ ...manifest, hooks: { ...manifest.hooks, onBuild: [{ name: "fetch", cacheKey }] } });
  const keys = [
    store.key("app", hook("a"), []),
    store.key("other-app", hook("a"), []),
    store.key("app", hook("b"), []),
    store.key("app", { ...hook("a"), exportName: "Model" }, []),
    store.key("app", hook("a"), ["large"]),
    new BuildStore(root, "another image", clock).key("app", hook("a"), []),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(store.key("app", { ...hook("a"), name: "renamed", options: { ...manifest.options, memoryMib: 1 } }, [])).toBe(keys[0]);
});

test("finding a build counts as its use", async () => {
  await store.keep("key", work, code, 1);
  await utimes(join(root, "builds/key"), 1, 1);
  await store.find("key");
  expect((await stat(join(root, "builds/key"))).mtimeMs).toBe(clock.now());
});
