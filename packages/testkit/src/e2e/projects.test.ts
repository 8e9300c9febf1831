import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestHome } from "./test-home.fixture.ts";

let home: TestHome;
beforeAll(async () => {
  home = await TestHome.create();
  await home.ok(["up", "-d", "--port", "0"]);
});
afterAll(async () => {
  await home.endServer();
});

const run = async (target: string, input: unknown): Promise<unknown> => JSON.parse(await home.ok(["run", target, "--input", JSON.stringify(input)]));

test("names and bodies in any script survive files, functions, errors and the terminal", async () => {
  home.write(
    "grüße/приложение.ts",
    `
    import { fn } from "samovar";
    export const grüßen = fn({ name: "greet" }, async (name) => ({ text: "Grüß dich, " + name + " 🫖", length: [...name].length }));
    export const failing = fn({}, async (what) => { throw new Error("kaputt: " + what); });
  `,
  );
  expect(await run("grüße/приложение.ts:greet", "Михаил 👩‍🚀")).toEqual({ text: "Grüß dich, Михаил 👩‍🚀 🫖", length: 10 });
  const failing = home.cli(["run", "grüße/приложение.ts:failing", "--input", '"日本"']);
  expect((await failing.exited).code).toBe(1);
  expect(failing.err()).toMatch(/Error: kaputt: 日本\n\s+at .*приложение\.ts:4:\d+/);
});

test("files beside the module are there by relative path and by import.meta.url, the ignored ones are not", async () => {
  home.write("files/package.json", '{ "name": "files", "type": "module" }');
  home.write("files/.samovarignore", "secret.txt\n*.tmp\n!keep.tmp\n");
  home.write("files/data/wörter.txt", "tëxt");
  home.write("files/secret.txt", "no");
  home.write("files/a.tmp", "no");
  home.write("files/keep.tmp", "yes");
  home.write("files/node_modules/dep/index.js", "no");
  home.write(
    "files/src/app.ts",
    `
    import { fn } from "samovar";
    import { existsSync, readFileSync, readdirSync } from "node:fs";
    export const look = fn({}, async () => ({
      relative: readFileSync("data/wörter.txt", "utf8"),
      byUrl: readFileSync(new URL("../data/wörter.txt", import.meta.url), "utf8"),
      top: readdirSync(".").filter((name) => !name.startsWith(".samovar")).sort(),
      installed: existsSync("node_modules/dep"),
    }));
  `,
  );
  expect(await run("files/src/app.ts:look", null)).toEqual({
    relative: "tëxt",
    byUrl: "tëxt",
    top: expect.not.arrayContaining(["secret.txt", "a.tmp"]),
    installed: false,
  });
  expect(await run("files/src/app.ts:look", null)).toMatchObject({ top: expect.arrayContaining(["data", "keep.tmp", "package.json"]) });
});

test("a file that changed between two runs is the new one in the second, in code and beside it", async () => {
  home.write("changing/package.json", '{ "name": "changing" }');
  const write = (version: number): void => {
    home.write("changing/data.txt", `data ${version}`);
    home.write("changing/other.ts", `export const version = ${version};`);
  };
  home.write(
    "changing/app.ts",
    `
    import { fn } from "samovar";
    import { readFileSync } from "node:fs";
    import { version } from "./other.ts";
    export const read = fn({}, async () => [version, readFileSync("data.txt", "utf8")]);
  `,
  );
  write(1);
  expect(await run("changing/app.ts:read", null)).toEqual([1, "data 1"]);
  write(2);
  expect(await run("changing/app.ts:read", null)).toEqual([2, "data 2"]);
});

test("a file that a container writes is not there for the next one", async () => {
  home.write("writing/package.json", '{ "name": "writing" }');
  home.write("writing/data.txt", "as it was");
  home.write(
    "writing/app.ts",
    `
    import { fn } from "samovar";
    import { readFileSync, writeFileSync } from "node:fs";
    export const write = fn({}, async () => {
      const before = readFileSync("data.txt", "utf8");
      writeFileSync("data.txt", "spoiled");
      return before;
    });
  `,
  );
  expect(await run("writing/app.ts:write", null)).toBe("as it was");
  expect(await run("writing/app.ts:write", null)).toBe("as it was");
});

test.each([
  ["no such function", "app.ts:ad", /Did you mean add/],
  ["a syntax error", "syntax.ts:add", /error \(bundle_failed\)[\s\S]*syntax\.ts:1:\d+/],
  ["a module that throws", "throws.ts:add", /error \(load_failed\)[\s\S]*at the top[\s\S]*throws\.ts:1:\d+/],
  ["a module that exits", "exits.ts:add", /error \(load_failed\)[\s\S]*exit/],
  ["a definition that is not exported", "hidden.ts:add", /error \(invalid_definition\)[\s\S]*export/],
  ["a start hook that throws", "start.ts:add", /error \(start_failed\)[\s\S]*no model/],
  ["an unknown option", "option.ts:add", /error \(invalid_(option|definition)\)[\s\S]*timeout/],
])("%s ends run with 1 and says where", async (_name, target, shown) => {
  home.write("app.ts", 'import { fn } from "samovar"; export const add = fn({}, async (n) => n + 1);');
  home.write("syntax.ts", "export const = 1;");
  home.write("throws.ts", 'throw new Error("at the top");');
  home.write("exits.ts", "process.exit(5);");
  home.write("hidden.ts", 'import { fn } from "samovar"; const add = fn({}, async (n) => n + 1); void add;');
  home.write("start.ts", 'import { fn } from "samovar"; export const add = fn({ onStart() { throw new Error("no model"); } }, async (n) => n + 1);');
  home.write("option.ts", 'import { fn } from "samovar"; export const add = fn({ timeuot: 3 }, async (n) => n + 1);');
  const cli = home.cli(["run", target, "--input", "1"]);
  expect((await cli.exited).code).toBe(1);
  expect(cli.out()).toBe("");
  expect(cli.err()).toMatch(shown);
});

test("a home that lies beside the module is no part of its code", async () => {
  home.write(
    "beside/app.ts",
    `
    import { fn } from "samovar";
    import { existsSync } from "node:fs";
    export const look = fn({}, async () => [existsSync("data.txt"), existsSync("home")]);
  `,
  );
  home.write("beside/data.txt", "here");
  const beside = join(home.folder, "project", "beside", "home");
  expect(JSON.parse(await home.ok(["run", "beside/app.ts:look", "--input", "null"], { SAMOVAR_HOME: beside }))).toEqual([true, false]);
});
