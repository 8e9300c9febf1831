import { lstat, mkdir, mkdtemp, readFile, readlink, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fillFolder, makeFolder, planCode, removeFolder, toContainerFolder } from "./container-folder.ts";

let root: string;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "samovar-folder-")));
});
afterEach(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

async function put(files: Record<string, string>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(root, path, ".."), { recursive: true });
    await writeFile(join(root, path), text);
  }
}

async function materialize(nodeModules: readonly string[]): Promise<string> {
  const sourceDir = join(root, "code");
  const folder = toContainerFolder(root, "ct_1");
  const plan = await planCode({ codeId: "c", sourceDir, entry: "a.mjs", nodeModules });
  await makeFolder(folder);
  await fillFolder(folder.work, sourceDir, plan);
  return folder.work;
}

test("files are copied with their mode, folders made, links kept", async () => {
  await put({ "code/a.mjs": "a", "code/deep/er/b.sh": "b" });
  await writeFile(join(root, "code/deep/er/b.sh"), "b", { mode: 0o755 });
  await symlink("a.mjs", join(root, "code/link"));
  const work = await materialize([]);
  expect(await readFile(join(work, "deep/er/b.sh"), "utf8")).toBe("b");
  expect((await lstat(join(work, "a.mjs"))).isSymbolicLink()).toBe(false);
  expect(await readlink(join(work, "link"))).toBe("a.mjs");
  await writeFile(join(work, "a.mjs"), "changed");
  expect(await readFile(join(root, "code/a.mjs"), "utf8")).toBe("a");
});

test("the mode of a file goes with it", async () => {
  await mkdir(join(root, "code"));
  await writeFile(join(root, "code/run.sh"), "", { mode: 0o755 });
  expect((await stat(join(await materialize([]), "run.sh"))).mode & 0o777).toBe(0o755);
});

test("module folders are linked, at the top and deep inside", async () => {
  await put({ "code/a.mjs": "a", "code/node_modules/own/index.js": "own", "code/sub/node_modules/inner/index.js": "inner" });
  const work = await materialize([]);
  expect(await readlink(join(work, "node_modules"))).toBe(join(root, "code/node_modules"));
  expect(await readlink(join(work, "sub/node_modules"))).toBe(join(root, "code/sub/node_modules"));
});

test("several module folders appear as one, the first that has a name winning", async () => {
  await put({
    "code/a.mjs": "a",
    "m1/both/index.js": "m1",
    "m1/@scope/one/index.js": "one",
    "m2/both/index.js": "m2",
    "m2/@scope/two/index.js": "two",
    "m2/only/index.js": "m2",
  });
  const work = await materialize([join(root, "m1"), join(root, "m2")]);
  const read = (path: string): Promise<string> => readFile(join(work, "node_modules", path, "index.js"), "utf8");
  expect(await Promise.all(["both", "only", "@scope/one", "@scope/two"].map(read))).toEqual(["m1", "m2", "one", "two"]);
});

test("a code folder that is missing is told by name", async () => {
  await expect(materialize([])).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(join(root, "code")) });
});

test("removing leaves what links point to", async () => {
  await put({ "code/a.mjs": "a", "modules/leaf/index.js": "leaf" });
  await materialize([join(root, "modules")]);
  await removeFolder(join(root, "ct_1"));
  await removeFolder(join(root, "ct_1"));
  expect(await readFile(join(root, "modules/leaf/index.js"), "utf8")).toBe("leaf");
});

test("code that is gone from disk is told as that, by what lists it and by what copies it", async () => {
  await put({ "code/a.mjs": "a" });
  const sourceDir = join(root, "code");
  const code = { codeId: "c", sourceDir, entry: "a.mjs", nodeModules: [] };
  const plan = await planCode(code);
  await rm(sourceDir, { recursive: true, maxRetries: 5 });
  const gone = { code: "storage_failed", message: `The code of this version is gone from disk: deploy it again (${sourceDir} is not there)` };
  await expect(planCode(code)).rejects.toMatchObject(gone);
  const folder = toContainerFolder(root, "ct_1");
  await makeFolder(folder);
  await expect(fillFolder(folder.work, sourceDir, plan)).rejects.toMatchObject(gone);
});
