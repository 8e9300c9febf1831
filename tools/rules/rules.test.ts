import { describe, expect, test } from "vitest";
import { toRepository, type Rule } from "../repository.ts";
import { dependencyNotes } from "./dependency-notes.ts";
import { linksResolve, packageReadmes } from "./docs-in-place.ts";
import { environmentDocs } from "./environment-docs.ts";
import { fileLength } from "./file-length.ts";
import { lockFile } from "./lock-file.ts";

const check = (rule: Rule, files: Record<string, string>) =>
  rule.check(toRepository(files)).map(({ file, line, message }) => `${file}${line === undefined ? "" : `:${line}`} ${message.split(":")[0]!}`);

test("a file may have 500 lines and no more, a document any number", () => {
  const lines = (count: number) => "x\n".repeat(count);
  expect(check(fileLength, { "a.ts": lines(500), "b.ts": lines(501), "c.md": lines(900) })).toEqual(["b.ts 501 lines, at most 500"]);
});

test("every package has a README, the root has its own", () => {
  const files = {
    "package.json": '{"name":"root"}',
    "packages/a/package.json": '{"name":"a"}',
    "packages/b/package.json": '{"name":"b"}',
    "packages/b/README.md": "b",
  };
  expect(check(packageReadmes, files)).toEqual(["packages/a/README.md It is not there"]);
});

test("links to files and folders of the repository must lead somewhere, others are left alone", () => {
  const text = "[a](../packages/kit) [b](../packages/kit/a.ts#L3) [c](https://example.com) [d](#part)\n`[e](code.md)`\n```\n[f](block.md)\n```\n[g](gone.md)";
  expect(check(linksResolve, { "docs/x.md": text, "packages/kit/a.ts": "" })).toEqual(["docs/x.md:6 gone.md leads nowhere"]);
});

describe("environment variables", () => {
  const doc = "| variable | what |\n|---|---|\n| `SAMOVAR_HOME` | where |\n| `TERM` | colours |\n";

  test("what is read is documented", () => {
    const read = 'const a = process.env.SAMOVAR_HOME ?? env["TERM"];\nconst b = process.env.SECRET_KNOB;';
    expect(check(environmentDocs, { "docs/environment.md": doc, "packages/a/src/a.ts": read })).toEqual([
      "packages/a/src/a.ts:2 SECRET_KNOB is not documented",
    ]);
  });

  test("what is documented is read, by more than a test", () => {
    const files = { "docs/environment.md": doc, "packages/a/src/a.ts": "env.SAMOVAR_HOME", "packages/a/src/a.test.ts": "env.TERM" };
    expect(check(environmentDocs, files)).toEqual(["docs/environment.md No code reads TERM"]);
  });
});

test("each dependency from outside has its line, and each line its dependency", () => {
  const files = {
    "package.json": '{"name":"root","devDependencies":{"vitest":"5"}}',
    "packages/a/package.json": '{"name":"a","dependencies":{"b":"1","hono":"4","zod":"4"},"optionalDependencies":{"node-x":"1"}}',
    "packages/b/package.json": '{"name":"b"}',
    "docs/decisions/0011-dependencies.md": "- `vitest`: tests\n- `hono`, `node-x`: routes\n- `express`: once\n- `zod`:\n",
  };
  expect(check(dependencyNotes, files)).toEqual([
    "packages/a/package.json zod has no line in docs/decisions/0011-dependencies.md",
    "docs/decisions/0011-dependencies.md Nobody depends on express",
  ]);
});

test("the lock file names no place to load from", () => {
  const text = '{\n  "resolved": "packages/kit",\n  "resolved": "https://example.com/x.tgz"\n}';
  expect(check(lockFile, { "package-lock.json": text })).toEqual(["package-lock.json:3 A download address"]);
});
