import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { collectPackages } from "./collect-packages.ts";
import { placePackages } from "./package-tree.ts";
import { makeFolder, type Files } from "./project.fixture.ts";

const manifest = (name: string, version: string, rest: object = {}): string => JSON.stringify({ name, version, main: "index.js", ...rest });

/** `a` 1 and `b` 1 ask for `c` 1 and `c` 2; `a` has its own in itself. */
const PROJECT: Files = {
  "node_modules/a/package.json": manifest("a", "1.0.0", { dependencies: { c: "^1" }, optionalDependencies: { "not-installed": "^1" } }),
  "node_modules/a/index.js": `module.exports = "a uses " + require("c");`,
  "node_modules/a/build/Release/a.node": "compiled",
  "node_modules/a/node_modules/c/package.json": manifest("c", "1.0.0"),
  "node_modules/a/node_modules/c/index.js": `module.exports = "c 1";`,
  "node_modules/b/package.json": manifest("b", "1.0.0", { dependencies: { c: "^2" }, peerDependencies: { a: "*" } }),
  "node_modules/b/index.js": `module.exports = "b uses " + require("c") + " and " + require("a");`,
  "node_modules/c/package.json": manifest("c", "2.0.0"),
  "node_modules/c/index.js": `module.exports = "c 2";`,
  "node_modules/unused/package.json": manifest("unused", "1.0.0"),
};

const external = (root: string, name: string) => ({ name, reason: "native" as const, nodeModules: path.join(root, "node_modules") });

test("packages travel with what they depend on, each version where those who ask for it find it", async () => {
  const root = makeFolder(PROJECT);
  const files = await collectPackages([external(root, "a"), external(root, "b")]);
  const copy = makeFolder();
  for (const file of files) {
    mkdirSync(path.join(copy, path.dirname(file.path)), { recursive: true });
    copyFileSync(file.source, path.join(copy, file.path));
  }
  writeFileSync(path.join(copy, "main.cjs"), `console.log(require("a")); console.log(require("b"));`);
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(copy, "main.cjs")]);
  expect(stdout).toBe("a uses c 1\nb uses c 2 and a uses c 1\n");
  expect(files.map((file) => file.path)).toContain("node_modules/a/build/Release/a.node");
  expect(files.some((file) => file.path.includes("unused"))).toBe(false);
});

test("packages in a store that folders only link to are found by their real place", async () => {
  const root = makeFolder({
    "store/a@1/node_modules/a/package.json": manifest("a", "1.0.0", { dependencies: { "@x/c": "^1" } }),
    "store/c@1/node_modules/@x/c/package.json": manifest("@x/c", "1.0.0", { dependencies: { a: "^1" } }),
  });
  const link = (target: string, at: string): void => {
    mkdirSync(path.join(root, path.dirname(at)), { recursive: true });
    symlinkSync(path.join(root, target), path.join(root, at));
  };
  link("store/a@1/node_modules/a", "node_modules/a");
  link("store/c@1/node_modules/@x/c", "store/a@1/node_modules/@x/c");
  link("store/a@1/node_modules/a", "store/c@1/node_modules/a");
  const placed = await placePackages([{ name: "a", dir: path.join(root, "node_modules/a") }]);
  expect(placed).toEqual([
    { dir: path.join(root, "store/a@1/node_modules/a"), path: "node_modules/a" },
    { dir: path.join(root, "store/c@1/node_modules/@x/c"), path: "node_modules/@x/c" },
  ]);
});

test("links that lead out of a package are left out", async () => {
  const root = makeFolder({ "secret.txt": "secret", "node_modules/a/package.json": manifest("a", "1.0.0"), "node_modules/a/real.txt": "real" });
  symlinkSync(path.join(root, "secret.txt"), path.join(root, "node_modules/a/secret.txt"));
  symlinkSync("real.txt", path.join(root, "node_modules/a/link.txt"));
  expect((await collectPackages([external(root, "a")])).map((file) => file.path).toSorted()).toEqual([
    "node_modules/a/link.txt",
    "node_modules/a/package.json",
    "node_modules/a/real.txt",
  ]);
});
