import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { symlinkSync, writeFileSync, rmSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { makeFolder } from "./project.fixture.ts";
import { findProject, isInside } from "./project.ts";
import { stripJsonc } from "./tsconfig.ts";

test("the nearest package.json gives root and name", () => {
  const root = makeFolder({
    "package.json": `{ "name": "outer" }`,
    "apps/shop/package.json": `{ "name": "@acme/shop.web" }`,
    "apps/shop/src/app.ts": "",
    "lone/app.ts": "",
  });
  expect(findProject(path.join(root, "apps/shop/src/app.ts"))).toEqual({
    file: path.join(root, "apps/shop/src/app.ts"),
    root: path.join(root, "apps/shop"),
    syncs: true,
    defaultAppName: "shop-web",
  });
  expect(findProject(path.join(root, "lone/app.ts"))).toMatchObject({ root, defaultAppName: "outer" });
});

test("without one the module's own folder and name count", () => {
  const root = makeFolder({ "Größe & Co.v2.ts": "", "id.ts": "", "語.ts": "" });
  expect(findProject(path.join(root, "Größe & Co.v2.ts"))).toMatchObject({ root, syncs: true, defaultAppName: "Gr-e-Co-v2" });
  expect(findProject(path.join(root, "id.ts")).defaultAppName).toBe("app");
  expect(findProject(path.join(root, "語.ts")).defaultAppName).toBe("app");
});

test("a module that lies directly in the temp folder has no files that travel", () => {
  const file = path.join(tmpdir(), `samovar-bundler-${process.pid}.ts`);
  writeFileSync(file, "");
  onTestFinished(() => rmSync(file));
  expect(findProject(file)).toMatchObject({ syncs: false });
});

test("a file reached through a link belongs to the project where it really lies", () => {
  const root = makeFolder({ "package.json": `{ "name": "real" }`, "app.ts": "" });
  const other = makeFolder();
  symlinkSync(path.join(root, "app.ts"), path.join(other, "link.ts"));
  expect(findProject(path.join(other, "link.ts"))).toMatchObject({ root, file: path.join(root, "app.ts") });
});

test("inside is inside, whatever a name begins with", () => {
  expect(isInside("/a", "/a/b")).toBe(true);
  expect(isInside("/a", "/a/..b/c")).toBe(true);
  expect(isInside("/a", "/a")).toBe(true);
  expect(isInside("/a", "/ab")).toBe(false);
  expect(isInside("/a", "/")).toBe(false);
  expect(isInside(path.join(homedir(), "x"), homedir())).toBe(false);
});

test("comments and trailing commas are no JSON, unless they are in a string", () => {
  const text = `\uFEFF{ // line "quoted\n "a": "// no /* comment */ ,}", /* block, "b": 1 */ "c": [1, 2, ], "d\\"": { "e": 1, }, }`;
  expect(JSON.parse(stripJsonc(text))).toEqual({ a: "// no /* comment */ ,}", c: [1, 2], 'd"': { e: 1 } });
});
