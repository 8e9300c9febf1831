import { mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { SamovarError } from "@samovar/protocol";
import { expect, onTestFinished, test } from "vitest";
import { bundleApp, createAppBundler } from "./app-bundler.ts";
import type { Bundle } from "./bundle.ts";
import { makeFolder, makeSdk, runAway, writeFiles, type Files } from "./project.fixture.ts";

async function bundleFiles(files: Files, entry = "app.ts"): Promise<Bundle> {
  return bundleApp({ file: path.join(makeFolder(files), entry), sdkEntry: makeSdk() });
}

async function failure(files: Files): Promise<string> {
  const error: unknown = await bundleFiles(files).catch((thrown: unknown) => thrown);
  if (!(error instanceof SamovarError)) throw new Error(`Expected a SamovarError, got ${String(error)}`);
  expect(error.code).toBe("bundle_failed");
  return error.message;
}

test("a file in a folder without package.json imports samovar and its parts from the SDK that is passed", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import { copy } from "samovar"; import { extra } from "samovar/extra"; export default () => [copy, extra];`,
  });
  expect(bundle).toMatchObject({ entry: "app.samovar.mjs", syncs: true, nodeModules: [], notes: [] });
  expect((await runAway(bundle)).result).toEqual(["the stand-in", "extra of the stand-in"]);
});

test("a project's own samovar is taken before ours", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import { copy } from "samovar"; export default () => copy;`,
    "node_modules/samovar/package.json": `{ "name": "samovar", "type": "module", "exports": "./index.js" }`,
    "node_modules/samovar/index.js": `export const copy = "the project's";`,
  });
  expect((await runAway(bundle)).result).toBe("the project's");
});

test("the root is the folder of the nearest package.json, and the bundle lies in the module's own folder", async () => {
  const root = makeFolder({ "package.json": `{ "name": "@acme/Deep app" }`, "src/jobs/app.ts": `export default () => 1;` });
  const bundle = await bundleApp({ file: path.join(root, "src/jobs/app.ts"), sdkEntry: makeSdk() });
  expect(bundle).toMatchObject({ root, entry: "src/jobs/app.samovar.mjs" });
});

test("decorators are the standard ones and fields are defined, whatever the project's tsconfig says", async () => {
  const bundle = await bundleFiles({
    "tsconfig.json": `{ "compilerOptions": { "experimentalDecorators": true, "useDefineForClassFields": false, "target": "es5" } }`,
    "app.ts": `
      const seen: unknown[] = [];
      function mark(_: unknown, context: { kind: string; name: string | symbol }) { seen.push(context.kind, context.name); }
      class Base { set size(_: number) { seen.push("setter ran"); } }
      class Model extends Base { size = 1; @mark predict() {} }
      new Model();
      export default () => seen;`,
  });
  expect((await runAway(bundle)).result).toEqual(["method", "predict"]);
});

test("paths of the project's tsconfig, comments and bases included, are resolved", async () => {
  const bundle = await bundleFiles({
    "base.json": `{ "compilerOptions": { "paths": { "@/*": ["./lib/*"] } } }`,
    "tsconfig.json": `{ // the usual\n "extends": "./base.json", }`,
    "lib/a.ts": `export const a = "aliased";`,
    "app.ts": `import { a } from "@/a"; export default () => a;`,
  });
  expect((await runAway(bundle)).result).toBe("aliased");
});

test("JSON, text, bytes and wasm can be imported", async () => {
  const bundle = await bundleFiles({
    "a.json": `{ "a": [1] }`,
    "note.txt": "plain",
    "page.html": "<p>",
    "raw.bin": Uint8Array.of(1, 2, 255),
    "add.wasm": Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0),
    "app.ts": `
      import a from "./a.json" with { type: "json" };
      import note from "./note.txt";
      import page from "./page.html" with { type: "text" };
      import raw from "./raw.bin" with { type: "bytes" };
      import wasm from "./add.wasm";
      export default async () => [a, note, page, [...raw], Object.keys((await WebAssembly.instantiate(wasm)).instance.exports)];`,
  });
  expect((await runAway(bundle)).result).toEqual([{ a: [1] }, "plain", "<p>", [1, 2, 255], []]);
});

test("every module sees the folder that its own file was synced to", async () => {
  const bundle = await bundleFiles(
    {
      "package.json": `{ "name": "places" }`,
      "jobs/my app.ts": `
        import { readFileSync } from "node:fs";
        import { part, read } from "../lib/päd/part.ts";
        import cjs from "../lib/old.cjs";
        export default () => [readFileSync(new URL("./book 1.txt", import.meta.url), "utf8"), import.meta.filename, import.meta.dirname, part, read(), cjs];`,
      "jobs/book 1.txt": "book",
      "lib/päd/part.ts": `
        import { readFileSync } from "node:fs";
        export const part = import.meta.dirname;
        export const read = () => readFileSync(new URL(import.meta.resolve("./data.txt")), "utf8");`,
      "lib/päd/data.txt": "data",
      "lib/old.cjs": `const fs = require("fs"); module.exports = fs.readFileSync(__dirname + "/old.txt", "utf8") + require("path").basename(__filename);`,
      "lib/old.txt": "old",
    },
    "jobs/my app.ts",
  );
  const { folder, result } = await runAway(bundle);
  expect(result).toEqual(["book", path.join(folder, "jobs/my app.ts"), path.join(folder, "jobs"), path.join(folder, "lib/päd"), "data", "oldold.cjs"]);
});

test("words in comments and strings are no use of import.meta", async () => {
  const bundle = await bundleFiles(
    {
      "app.ts": `// __dirname, import.meta.url\nexport default () => "__dirname";`,
      "node_modules/quiet/package.json": `{ "name": "quiet" }`,
      "node_modules/quiet/index.js": `/* path.join( __dirname, "x" ) */ module.exports = 1;`,
      "index.ts": `import quiet from "quiet"; import app from "./app.ts"; export default () => [quiet, app()];`,
    },
    "index.ts",
  );
  expect(bundle.nativePackages).toEqual([]);
  expect((await runAway(bundle)).result).toEqual([1, "__dirname"]);
});

test("a module may declare its own require, and begin with a hashbang", async () => {
  const bundle = await bundleFiles({
    "app.ts": `#!/usr/bin/env samovar\nimport { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);\nexport default () => [require("./x.json").x, typeof require("node:fs").readFileSync];`,
    "x.json": `{ "x": 1 }`,
  });
  expect((await runAway(bundle)).result).toEqual([1, "function"]);
});

test("a CommonJS package that reads its own data file stays outside, and works", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import words from "words"; import { esm } from "@acme/esm"; export default () => [words, esm];`,
    "node_modules/words/package.json": `{ "name": "words", "main": "lib/index.js" }`,
    "node_modules/words/lib/index.js": `module.exports = require("./load")("words.txt");`,
    "node_modules/words/lib/load.js": `module.exports = (name) => require("fs").readFileSync(require("path").join(__dirname, name), "utf8");`,
    "node_modules/words/lib/words.txt": "one two",
    "node_modules/@acme/esm/package.json": `{ "name": "@acme/esm", "type": "module", "exports": "./index.js" }`,
    "node_modules/@acme/esm/index.js": `import { readFileSync } from "node:fs"; export const esm = readFileSync(new URL("./data", import.meta.url), "utf8");`,
    "node_modules/@acme/esm/data": "esm data",
  });
  const nodeModules = path.join(bundle.root, "node_modules");
  expect(bundle.nativePackages).toEqual([
    { name: "@acme/esm", reason: "own-files", nodeModules },
    { name: "words", reason: "own-files", nodeModules },
  ]);
  expect(bundle.nodeModules).toEqual([nodeModules]);
  expect((await runAway(bundle)).result).toEqual(["one two", "esm data"]);
});

test("a package that asks require where its own file is stays outside too", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import where from "starter"; export default () => where.endsWith("starter/worker.js");`,
    "node_modules/starter/package.json": `{ "name": "starter" }`,
    "node_modules/starter/index.js": `module.exports = require.resolve("./worker.js");`,
    "node_modules/starter/worker.js": "",
  });
  expect(bundle.nativePackages).toMatchObject([{ name: "starter", reason: "own-files" }]);
  expect((await runAway(bundle)).result).toBe(true);
});

test("an author's own addon is asked for at the place that it is synced to", async () => {
  const root = makeFolder({
    "package.json": "{}",
    "src/app.ts": `import "./lib/load.cjs";`,
    "src/lib/load.cjs": `exports.load = () => require("../../build/mine.node");`,
    "build/mine.node": "",
  });
  const bundle = await bundleApp({ file: path.join(root, "src/app.ts"), sdkEntry: makeSdk() });
  expect(Buffer.from(bundle.code).toString()).toContain(`require("../build/mine.node")`);
});

test("two modules of a monorepo: what lies outside of the root is read in place, and that is said", async () => {
  const root = makeFolder({
    "packages/app/package.json": `{ "name": "app" }`,
    "packages/app/app.ts": `import { where } from "@acme/lib"; export default () => where;`,
    "packages/lib/package.json": `{ "name": "@acme/lib", "type": "module", "exports": "./index.ts" }`,
    "packages/lib/index.ts": `export const where: string = import.meta.filename;`,
  });
  mkdirSync(path.join(root, "node_modules/@acme"), { recursive: true });
  symlinkSync(path.join(root, "packages/lib"), path.join(root, "node_modules/@acme/lib"));
  const bundle = await bundleApp({ file: path.join(root, "packages/app/app.ts"), sdkEntry: makeSdk() });
  expect((await runAway(bundle)).result).toBe(path.join(root, "packages/lib/index.ts"));
  expect(bundle.notes).toEqual([expect.stringContaining("../lib/index.ts asks where it is")]);
});

test("packages with compiled parts stay outside, also when another package asks for them", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import { image } from "wrapper"; export default () => image;`,
    "node_modules/wrapper/package.json": `{ "name": "wrapper" }`,
    "node_modules/wrapper/index.js": `exports.image = require("native/sub").name; try { require("not-there"); } catch {}`,
    "node_modules/native/package.json": `{ "name": "native" }`,
    "node_modules/native/sub.js": `exports.name = "native, required from " + require("path").basename(__dirname);`,
    "node_modules/native/build/Release/native.node": "not really",
  });
  expect(bundle.nativePackages).toMatchObject([{ name: "native", reason: "native" }]);
  expect((await runAway(bundle)).result).toBe("native, required from native");
});

test.for([
  ["binding.gyp", { "binding.gyp": "{}" }],
  ["prebuilds", { "prebuilds/linux-x64/a.node": "" }],
  ["a platform package", { "package.json": `{ "name": "native", "optionalDependencies": { "@native/linux-x64-gnu": "1" } }` }],
  ["a loader of prebuilt parts", { "package.json": `{ "name": "native", "dependencies": { "node-gyp-build": "4" } }` }],
  ["an addon deeper inside", { "index.js": `require("./deep/down/x.node");`, "deep/down/x.node": "" }],
] as const)("a package is known as native by %s", async ([, files]) => {
  const all: Files = { "package.json": `{ "name": "native" }`, "index.js": "", ...files };
  const bundle = await bundleFiles({
    "app.ts": `import "native";`,
    ...Object.fromEntries(Object.entries(all).map(([name, text]) => [`node_modules/native/${name}`, text])),
  });
  expect(bundle.nativePackages.map((found) => found.name)).toEqual(["native"]);
});

test("wink-nlp and its model, pure JavaScript, go into the bundle and work", async () => {
  const root = makeFolder({
    "app.ts": `
      import winkNLP from "wink-nlp"; import model from "wink-eng-lite-web-model";
      const nlp = winkNLP(model);
      export default () => nlp.readDoc("The samovar is wonderful!").out(nlp.its.sentiment) > 0;`,
  });
  const require = createRequire(import.meta.url);
  mkdirSync(path.join(root, "node_modules"));
  for (const manifest of [require.resolve("wink-nlp/package.json"), require.resolve("wink-eng-lite-web-model/package.json")]) {
    const folder = path.dirname(manifest);
    symlinkSync(folder, path.join(root, "node_modules", path.basename(folder)));
  }
  const bundle = await bundleApp({ file: path.join(root, "app.ts"), sdkEntry: makeSdk() });
  expect(bundle.nativePackages).toEqual([]);
  expect((await runAway(bundle)).result).toBe(true);
});

test("a missing package says how to install it and where it was asked for", async () => {
  const message = await failure({ "app.ts": `const a = 1;\nimport x from "@acme/nope/sub";\nexport default x;` });
  expect(message).toContain("npm install @acme/nope");
  expect(message).toContain("app.ts:2:14");
  expect(message).toContain(`import x from "@acme/nope/sub";`);
  expect(message).toContain("~~~~");
  expect(message).not.toContain("external");
});

test("a missing file and a syntax error show file, line, column and the line itself", async () => {
  expect(await failure({ "app.ts": `import "./nope.ts";` })).toMatch(/Could not resolve "\.\/nope\.ts"[^]*app\.ts:1:7/);
  expect(await failure({ "app.ts": `\nexport const a = {;\n` })).toMatch(/app\.ts:2:18[^]*export const a = \{;[^]*\^/);
});

test("a file that isn't there is named", async () => {
  await expect(bundleApp({ file: "/nowhere/app.ts", sdkEntry: makeSdk() })).rejects.toThrow("There is no file /nowhere/app.ts");
});

test("stack traces name the author's files and lines, relative to the project", async () => {
  const bundle = await bundleFiles(
    {
      "package.json": "{}",
      "src/ä b.ts": `import { boom } from "./lib/boom.ts";\nexport default () => {\n  try { boom(); } catch (error) { return (error as Error).stack; }\n};`,
      "src/lib/boom.ts": `interface Unused { a: 1 }\n\nexport function boom() {\n  throw new Error("boom");\n}`,
    },
    "src/ä b.ts",
  );
  const { folder, result } = await runAway(bundle);
  expect(result).toContain(`(${folder}/src/lib/boom.ts:4:9)`);
  expect(result).toContain(`${folder}/src/ä b.ts:3:9`);
  const map = JSON.parse(Buffer.from(bundle.map).toString()) as { sources: string[]; sourcesContent: (string | null)[] };
  expect(map.sourcesContent[map.sources.indexOf("lib/boom.ts")]).toContain("throw new Error");
});

test("a frame inside of a package names the package's file, and frames after it are right again", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import { calls } from "calls";\n\nexport default () => calls(() => new Error("here").stack);`,
    "node_modules/calls/package.json": `{ "name": "calls", "type": "module", "exports": "./lib.js" }`,
    "node_modules/calls/lib.js": `export function calls(run) {\n  return run();\n}`,
  });
  const { folder, result } = await runAway(bundle);
  const frames = String(result).split("\n").slice(1, 4);
  expect(frames[0]).toContain(`${folder}/app.ts:3:34`);
  expect(frames[1]).toContain(`${folder}/node_modules/calls/lib.js:1:1`);
  expect(frames[2]).toContain(`${folder}/app.ts:3:22`);
});

test("a bundler builds again after an edit, after a failure and after a change of tsconfig.json", async () => {
  const root = makeFolder({ "app.ts": `import { a } from "./a.ts"; export default () => a;`, "a.ts": `export const a = 1;` });
  const bundler = createAppBundler({ file: path.join(root, "app.ts"), sdkEntry: makeSdk() });
  onTestFinished(() => bundler.dispose());
  expect((await runAway(await bundler.rebuild())).result).toBe(1);
  writeFiles(root, { "a.ts": `export const a = ;` });
  await expect(bundler.rebuild()).rejects.toThrow("a.ts:1:17");
  expect(bundler.watchFiles()).toContain(path.join(root, "a.ts"));
  writeFiles(root, { "a.ts": `export { a } from "#b";` });
  await expect(bundler.rebuild()).rejects.toThrow("#b");
  writeFiles(root, { "tsconfig.json": `{ "compilerOptions": { "paths": { "#b": ["./b.ts"] } } }`, "b.ts": `export const a = import.meta.filename;` });
  const bundle = await bundler.rebuild();
  expect((await runAway(bundle)).result).toMatch(/b\.ts$/);
  expect(bundle.inputs).toEqual(expect.arrayContaining(["app.ts", "a.ts", "b.ts"].map((name) => path.join(root, name))));
});

test("functions keep their names where two modules use the same one", async () => {
  const bundle = await bundleFiles({
    "app.ts": `import { other } from "./other.ts"; const load = () => {}; export default () => [load.name, other.name];`,
    "other.ts": `const load = () => {}; export const other = load;`,
  });
  expect((await runAway(bundle)).result).toEqual(["load", "load"]);
});
