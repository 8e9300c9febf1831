import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

// Servers, bundles and containers: on a machine that is busy with other things that takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const made: TestIo[] = [];
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

function create(): TestIo {
  const io = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn" } });
  made.push(io);
  return io;
}

const within = (io: TestIo, folder: string): TestIo => ({ ...io, cwd: join(io.folder, folder) });
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");
const checkTypes = (folder: string): Promise<unknown> => promisify(execFile)(process.execPath, [tsc, "-p", folder]);

test.each([
  ["hello", ["Ada", "Grace Hopper"], "Ciao, Ada!\nHello, Grace Hopper!\n"],
  ["map", [], "10 words in 3 texts\n"],
])("the template %s runs as it is, and its types are right", async (template, args, printed) => {
  const io = create();
  expect(await runCli(["init", "my-app", "--template", template], io)).toBe(0);
  expect(io.out()).toBe("Made app.ts, package.json, tsconfig.json, .gitignore, README.md in my-app\n");
  expect(io.err()).toBe("  → cd my-app && samovar run app.ts\n");
  await expect(checkTypes(join(io.folder, "my-app"))).resolves.toMatchObject({ stdout: "" });
  const run = within(create(), "");
  expect(await runCli(["run", join(io.folder, "my-app", "app.ts"), "--", ...args], run)).toBe(0);
  expect(run.out()).toBe(printed);
});

test("types of handles are the handlers' own, as an editor shows them", async () => {
  const io = create();
  await runCli(["init", "my-app"], io);
  writeFileSync(
    join(io.folder, "my-app", "use.ts"),
    'import { greeter } from "./app.ts";\nexport const wrong: Promise<number> = greeter.greet.remote("you");\n',
  );
  await expect(checkTypes(join(io.folder, "my-app"))).rejects.toMatchObject({ stdout: expect.stringContaining("use.ts(2,14): error TS2322") });
});

test("each command of its README is one", async () => {
  const io = create();
  await runCli(["init", "my-app"], io);
  const readme = readFileSync(join(io.folder, "my-app", "README.md"), "utf8");
  const call = /`samovar run app\.ts:hello --input '(.*)'`/.exec(readme)![1]!;
  expect(await runCli(["run", "app.ts:hello", "--input", call], within(io, "my-app"))).toBe(0);
  expect(io.out()).toContain('{"message":"Hello, you!"}\n');
});

test("without a folder it is this one, named after it", async () => {
  const io = create();
  mkdirSync(join(io.folder, "Über Apps"));
  expect(await runCli(["init", "--json"], within(io, "Über Apps"))).toBe(0);
  const { folder, files } = JSON.parse(io.out()) as { folder: string; files: string[] };
  expect(folder).toBe(join(io.folder, "Über Apps"));
  expect(readdirSync(folder).toSorted()).toEqual([...files, "node_modules"].toSorted());
  expect(JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))).toMatchObject({ name: "ber-apps", type: "module" });
});

test("nothing is overwritten, and nothing is written beside what is there", async () => {
  const io = create();
  writeFileSync(join(io.folder, "README.md"), "mine");
  symlinkSync("nowhere", join(io.folder, "tsconfig.json"));
  expect(await runCli(["init"], io)).toBe(1);
  expect(io.err()).toContain("has tsconfig.json, README.md already, and nothing is overwritten");
  expect(readFileSync(join(io.folder, "README.md"), "utf8")).toBe("mine");
  expect(existsSync(join(io.folder, "app.ts"))).toBe(false);
});

test("a folder that can't be made is told", async () => {
  const io = create();
  writeFileSync(join(io.folder, "file"), "");
  expect(await runCli(["init", "file/app"], io)).toBe(1);
  expect(io.err()).toMatch(/error \(invalid_request\): .*file\/app can't be written/);
});
