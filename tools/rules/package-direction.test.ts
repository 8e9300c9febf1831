import { expect, test } from "vitest";
import { toRepository } from "../repository.ts";
import { packageDirection } from "./package-direction.ts";

const manifest = (name: string, dependencies: string[] = [], devDependencies: string[] = []): string => {
  const toRanges = (names: string[]) => Object.fromEntries(names.map((each) => [each, "1"]));
  return JSON.stringify({ name, dependencies: toRanges(dependencies), devDependencies: toRanges(devDependencies) });
};

const check = (files: Record<string, string>) =>
  packageDirection.check(
    toRepository({
      "packages/protocol/package.json": manifest("@samovar/protocol"),
      "packages/kit/package.json": manifest("@samovar/kit"),
      "packages/sdk/package.json": manifest("samovar", ["@samovar/protocol"]),
      "packages/server/package.json": manifest("@samovar/server", ["@samovar/kit"], ["@samovar/testkit"]),
      "packages/testkit/package.json": manifest("@samovar/testkit"),
      ...files,
    }),
  );

test("imports that point down and are declared are fine", () => {
  expect(check({ "packages/server/src/a.ts": 'import { x } from "@samovar/kit";\nimport "./b.ts";\nimport fs from "node:fs";' })).toEqual([]);
});

test("an import that points up is named with what the package may reach", () => {
  const problems = check({
    "packages/kit/package.json": manifest("@samovar/kit", ["@samovar/server"]),
    "packages/kit/src/a.ts": '// first\nconst s = await import("@samovar/server");',
  });
  expect(problems).toEqual([
    { file: "packages/kit/package.json", message: "kit may not depend on server: it may reach protocol (tools/rules/package-direction.ts)" },
    { file: "packages/kit/src/a.ts", line: 2, message: "kit may not import server: it may reach protocol (tools/rules/package-direction.ts)" },
  ]);
});

test("an import that package.json does not name is found, however it is written", () => {
  for (const line of [
    'import x from "@samovar/protocol";',
    "export * from '@samovar/protocol';",
    'type X = typeof import("@samovar/protocol");',
    'import "@samovar/protocol";',
  ]) {
    expect(check({ "packages/server/src/a.ts": line })).toEqual([
      { file: "packages/server/src/a.ts", line: 1, message: "@samovar/protocol is not in packages/server/package.json: add it to its dependencies" },
    ]);
  }
});

test("tests may import what is a devDependency, also upwards, and sources may not", () => {
  const line = 'import { leaks } from "@samovar/testkit";';
  expect(check({ "packages/server/src/a.test.ts": line })).toEqual([]);
  expect(check({ "packages/server/src/a.ts": line })).toMatchObject([
    { message: "@samovar/testkit is not in packages/server/package.json: add it to its dependencies" },
  ]);
});

test("a relative import may not leave its package", () => {
  expect(check({ "packages/server/src/a.ts": 'import { x } from "../../kit/src/clock.ts";' })).toMatchObject([
    { line: 1, message: "../../kit/src/clock.ts leaves the package: import the other one by its name" },
  ]);
});

test("a new package needs its place in the order", () => {
  expect(check({ "packages/teapot/package.json": manifest("@samovar/teapot") })).toMatchObject([
    { message: expect.stringContaining("packages/teapot has no place") as string },
  ]);
});
