import { mkdir, mkdtemp, realpath, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toModuleBinds } from "./code-binds.ts";

let root = "";
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "samovar-binds-")));
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

test("modules stand at their own paths, with the packages of the workspace and the store that they link to", async () => {
  const at = (path: string): string => join(root, path);
  for (const dir of ["app/node_modules/@own", "app/node_modules/plain", "packages/tool", "node_modules/.store/left-pad"])
    await mkdir(at(dir), { recursive: true });
  await symlink("../../../packages/tool", at("app/node_modules/@own/tool"));
  await symlink("../../node_modules/.store/left-pad", at("app/node_modules/left-pad"));
  await symlink("nowhere", at("app/node_modules/broken"));
  expect((await toModuleBinds([at("app/node_modules")])).map(({ source }) => source)).toEqual([
    at("app/node_modules"),
    at("node_modules"),
    at("packages/tool"),
  ]);
});

test("what is not there is left out, and what lies in another folder comes with it", async () => {
  await mkdir(join(root, "node_modules/a/node_modules"), { recursive: true });
  const binds = await toModuleBinds([join(root, "none"), join(root, "node_modules/a/node_modules"), join(root, "node_modules")]);
  expect(binds).toEqual([{ source: join(root, "node_modules"), destination: join(root, "node_modules") }]);
});
