import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));
const TSC = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin/tsc");

test("what must compile does, and what must not does not", () => {
  const { stdout, stderr } = spawnSync(process.execPath, [TSC, "-p", path.join(PACKAGE, "tsconfig.types.json")], { encoding: "utf8" });
  expect(stdout + stderr).toBe("");
}, 120_000);
