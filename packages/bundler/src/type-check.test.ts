import path from "node:path";
import { expect, test } from "vitest";
import { makeFolder, makeSdk, type Files } from "./project.fixture.ts";
import { parseDiagnostics, typeCheck, type TypeCheckResult } from "./type-check.ts";

const check = (files: Files, entry = "app.ts"): Promise<TypeCheckResult> => typeCheck({ file: path.join(makeFolder(files), entry), sdkEntry: makeSdk() });

const SOUND = `
  import { fn } from "samovar";
  import { readFileSync } from "node:fs";
  import note from "./note.txt";
  export const f = fn({}, (x: number) => readFileSync("a", "utf8").length + note.length + x);
  export default async () => { const n: number = await f.remote(1); return n; };`;

test("a sound module without any project passes: samovar, Node and text files are known", async () => {
  expect(await check({ "app.ts": SOUND, "note.txt": "" })).toEqual({ ok: true, diagnostics: [], text: "" });
});

test("a mistake is shown with file, line, column, the line and a caret", async () => {
  const result = await check({
    "app.ts": `import { fn } from "samovar";\nexport const f = fn({}, (x: number) => x);\nvoid f.remote("three");`,
    "unrelated.ts": "const x: number = '';",
  });
  expect(result.diagnostics).toMatchObject([{ line: 3, column: 15, code: "TS2345" }]);
  expect(result.text).toMatch(/app\.ts:3:14[^]*void f\.remote\("three"\);[^]*\^/);
});

test("without a tsconfig.json types are strict", async () => {
  expect((await check({ "app.ts": "export const f = (x) => x;" })).diagnostics).toMatchObject([{ code: "TS7006" }]);
});

test("a project's own tsconfig.json counts, and what would write files or end the check does not", async () => {
  const files: Files = {
    "package.json": `{ "type": "module" }`,
    "tsconfig.json": `{
      // as projects are
      "compilerOptions": { "strict": false, "composite": true, "outDir": "dist", "rootDir": "src", "types": ["not-installed", "own/globals"], "paths": { "@/*": ["./src/*"] }, "experimentalDecorators": true },
      "include": ["src"],
    }`,
    "src/globals.d.ts": "declare const BUILD: string;",
    "node_modules/own/globals.d.ts": "declare const OWN: number;",
    "src/b.ts": "export const b = (x) => x;",
    "src/app.ts": `import { b } from "@/b"; function mark(_: unknown, context: ClassMethodDecoratorContext) { void context.name; } class A { @mark m() { return BUILD.length + OWN; } } export default () => b(new A());`,
  };
  expect(await check(files, "src/app.ts")).toMatchObject({ ok: true });
  expect(
    (await check({ ...files, "src/b.ts": "export const b: number = '';" }, "src/app.ts")).diagnostics.map((found) => path.basename(found.file ?? "")),
  ).toContain("b.ts");
});

test("a check can be given up", async () => {
  const abort = new AbortController();
  const checking = typeCheck({ file: path.join(makeFolder({ "app.ts": SOUND }), "app.ts"), sdkEntry: makeSdk(), signal: abort.signal });
  abort.abort(new Error("edited meanwhile"));
  await expect(checking).rejects.toThrow("edited meanwhile");
});

test("lines that belong to a mistake stay with it", () => {
  expect(parseDiagnostics("a b(1).ts(2,3): error TS1: First\n  because\n    of this\nerror TS2: Of no place\n", "/p")).toEqual([
    { file: "/p/a b(1).ts", line: 2, column: 3, code: "TS1", message: "First\n  because\n    of this" },
    { file: null, line: 0, column: 0, code: "TS2", message: "Of no place" },
  ]);
});
