import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import type { ContainerInfo } from "@samovar/protocol";
import { runCli } from "../run-cli.ts";
import { findServer } from "../server-link/find-server.ts";
import { parseSettings } from "../settings.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

// Servers, bundles and containers: on a machine that is busy with other things that takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const APP = `
import { App, endpoint, fn, method, onStart } from "samovar";
export const greet = endpoint({ onStart: () => console.log("warming up"), onStop: () => console.log("cooling down") }, async (input: { name: string }) => {
  console.log("greeting", input.name);
  return { hello: input.name, from: process.env.PLACE };
});
export const count = fn({}, async function* (n: number) {
  for (let i = 0; i < n; i++) yield { i };
});
export const add = fn({}, async (n: number) => n + 1);
export const fail = fn({}, async () => {
  throw new TypeError("bad weather", { cause: new Error("a storm") });
});
export const when = fn({}, async () => ({ at: new Date(0) }));
export const nothing = fn({}, async () => {});
export const wait = fn({ onStop: () => console.log("wait ends") }, async (_input: null, ctx) => {
  console.log("waiting");
  await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
  throw ctx.signal.reason;
});
class Model {
  size: string;
  constructor(size: string) { this.size = size; }
  @onStart() protected load() { console.log("loading", this.size); }
  @method() predict(x: number) { return { size: this.size, x }; }
}
export const model = new App("tests").cls(Model);
export default async function main(...args: string[]) {
  console.log("main", args.join("+"), process.env.PLACE);
  console.log(await add.remote(41));
  for await (const item of count.stream(2)) console.log(item.i);
}
`;

// One server for all: what an embedded one adds has its own tests.
const shared = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn" } });
const made: TestIo[] = [];
async function expectOk(argv: readonly string[]): Promise<void> {
  if ((await runCli(argv, shared)) !== 0) throw new Error(`samovar ${argv.join(" ")} failed: ${shared.err()}`);
}
beforeAll(async () => {
  await expectOk(["up", "-d", "--port", "0"]);
});
afterAll(async () => {
  await expectOk(["down"]);
  shared.remove();
});
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

function create(env: Record<string, string | undefined> = { SAMOVAR_HOME: shared.env.SAMOVAR_HOME }): TestIo {
  const io = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn", ...env } });
  made.push(io);
  writeFileSync(join(io.folder, "app.ts"), APP);
  return io;
}

test("a function's result is one line on stdout; logs of its hooks and inputs are on stderr", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:greet", "--input", '{"name":"Ann"}', "--env", "PLACE=here"], io)).toBe(0);
  expect(io.out()).toBe('{"hello":"Ann","from":"here"}\n');
  expect(io.err().split("\n")).toEqual(["[greet onStart] warming up", "[greet] greeting Ann", "[greet onStop] cooling down", ""]);
});

test("a generator's items are one line each", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:count", "--input", "3"], io)).toBe(0);
  expect(io.out()).toBe('{"i":0}\n{"i":1}\n{"i":2}\n');
});

test("undefined is null", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:nothing"], io)).toBe(0);
  expect(io.out()).toBe("null\n");
});

test("a class takes parameters and a method", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:model.predict", "--with", '["large"]', "--input", "7"], io)).toBe(0);
  expect(io.out()).toBe('{"size":"large","x":7}\n');
  expect(io.err()).toContain("[model load] loading large");
});

test("a required parameter that is missing is told before anything starts", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:model.predict", "--input", "7"], io)).toBe(1);
  expect(io.err()).toMatch(/The constructor of model has required parameters\n {2}→ Give them as JSON: --with/);
});

test("a class of another file whose parameters are optional needs none; one whose are required does", async () => {
  const io = create();
  writeFileSync(join(io.folder, "tiny.ts"), "export class Tiny { constructor(readonly size?: string) {} run() { return this.size ?? null; } }\n");
  writeFileSync(join(io.folder, "big.ts"), "export class Big { constructor(readonly size: string) {} run() { return this.size; } }\n");
  writeFileSync(
    join(io.folder, "app.ts"),
    'import { cls } from "samovar";\nimport { Tiny } from "./tiny.ts";\nimport { Big } from "./big.ts";\nexport const tiny = cls(Tiny, { methods: ["run"] });\nexport const big = cls(Big, { methods: ["run"] });\n',
  );
  expect({ code: await runCli(["run", "app.ts:tiny.run"], io), err: io.err() }).toEqual({ code: 0, err: "" });
  expect(io.out()).toBe("null\n");
  expect(await runCli(["run", "app.ts:big.run"], io)).toBe(1);
  expect(io.err()).toContain("The constructor of big has required parameters");
});

test("main runs here with its arguments, and its calls are answered", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts", "--env", "PLACE=home", "--", "a", "--b"], io)).toBe(0);
  expect(io.out()).toBe("main a+--b home\n42\n0\n1\n");
});

test("what a function throws is told with name, place in the source and causes; the exit code is 1", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:fail"], io)).toBe(1);
  expect(io.out()).toBe("");
  expect(io.err()).toMatch(/^TypeError: bad weather\n {4}at .*app\.ts:12:\d+/m);
  expect(io.err()).toMatch(/caused by Error: a storm/);
  expect(io.err()).toMatch(/→ The function threw this/);
});

test("a result that JSON would change is refused with its path", async () => {
  const io = create();
  expect(await runCli(["run", "app.ts:when"], io)).toBe(1);
  expect(io.err()).toContain("$.at is a Date. Send it.toISOString()");
});

test.each([
  [["run", "app.ts:gret"], "→ Did you mean greet? There are greet, "],
  [["run", "app.ts", "--input", "1"], "--input goes to a function, and app.ts names none"],
  [["run", "app.ts:add", "5"], "→ Pass its input: --input '5'"],
  [["run", "app.ts:add", "--with", "1"], "add is none"],
  [["run", "app.ts:add", "--app", "bad app"], '--app: "bad app" is not a name: use letters, digits'],
  [["run", "gone.ts"], "There is no file gone.ts"],
])("%j is refused", async (argv, expected) => {
  const io = create();
  expect(await runCli(argv, io)).toBe(1);
  expect(io.err()).toContain(expected);
  expect(io.out()).toBe("");
});

test("a mistake in options is told with the line that has it", async () => {
  const io = create();
  writeFileSync(join(io.folder, "app.ts"), 'import { fn } from "samovar";\n\nexport const add = fn({ cpus: 2 }, async (n: number) => n + 1);\n');
  expect(await runCli(["run", "app.ts:add"], io)).toBe(1);
  expect(io.err()).toContain('fn at app.ts:3:20: Unknown option "cpus": did you mean "cpu"?');
});

test.each([
  ["a folder with spaces, other letters and what URLs escape", { "my app ü 語 %20 #1/app.ts": APP }, "my app ü 語 %20 #1/app.ts"],
  ["a file that is a link", { "real/app.ts": `import { one } from "./one.ts"; export { one };${APP}`, "real/one.ts": "export const one = 1;" }, "link.ts"],
  ["a package of CommonJS", { "package.json": '{ "name": "old", "type": "commonjs" }', "app.ts": APP }, "app.ts"],
  [
    "a tsconfig for the old decorators",
    { "tsconfig.json": '{ "compilerOptions": { "experimentalDecorators": true, "useDefineForClassFields": false, "target": "es5" } }', "app.ts": APP },
    "app.ts",
  ],
  [
    "a workspace that imports another",
    {
      "package.json": '{ "private": true, "workspaces": ["packages/*"] }',
      "packages/lib/package.json": '{ "name": "@acme/lib", "type": "module", "exports": "./index.ts" }',
      "packages/lib/index.ts": 'export enum Size { Large = "large" }',
      "packages/svc/package.json": '{ "name": "@acme/svc", "type": "module" }',
      "packages/svc/app.ts": `import { Size } from "@acme/lib"; export { Size };${APP}`,
    },
    "packages/svc/app.ts",
  ],
])("run works from %s", async (_what, files, file) => {
  const io = create();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(io.folder, name)), { recursive: true });
    writeFileSync(join(io.folder, name), text);
  }
  if (file === "link.ts") symlinkSync("real/app.ts", join(io.folder, "link.ts"));
  mkdirSync(join(io.folder, "node_modules/@acme"), { recursive: true });
  symlinkSync("../../packages/lib", join(io.folder, "node_modules/@acme/lib"));
  expect({ code: await runCli(["run", `${file}:model.predict`, "--with", '["large"]', "--input", "7"], io), out: io.out(), err: io.err() }).toEqual({
    code: 0,
    out: '{"size":"large","x":7}\n',
    err: "[model load] loading large\n",
  });
});

test("a module without a default export says what could be run", async () => {
  const io = create();
  writeFileSync(join(io.folder, "app.ts"), 'import { fn } from "samovar";\nexport const add = fn({}, async (n: number) => n + 1);\n');
  expect(await runCli(["run", "app.ts"], io)).toBe(1);
  expect(io.err()).toContain("or call a function: app.ts:add");
});

test("a module that can't be bundled is shown with the line", async () => {
  const io = create();
  writeFileSync(join(io.folder, "app.ts"), "export const a = ;\n");
  expect(await runCli(["run", "app.ts:a"], io)).toBe(1);
  expect(io.err()).toMatch(/error \(bundle_failed\): app\.ts can't be bundled[\s\S]*app\.ts:1:17/);
});

test("Ctrl-C while a function runs aborts it, runs its stop hook and exits with 130", async () => {
  const io = create();
  const running = runCli(["run", "app.ts:wait", "--input", "null"], io);
  await io.sees(/\[wait\] waiting/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  expect(io.err()).toContain("[wait onStop] wait ends");
  expect(io.out()).toBe("");
});

test("a second Ctrl-C doesn't wait for anything", async () => {
  const io = create();
  writeFileSync(
    join(io.folder, "app.ts"),
    'import { fn } from "samovar";\nexport const stuck = fn({}, async () => { console.log("stuck"); await new Promise(() => setInterval(() => {}, 1_000)); });\n',
  );
  const running = runCli(["run", "app.ts:stuck"], io);
  await io.sees(/\[stuck\] stuck/);
  const startedMs = performance.now();
  io.signal("SIGINT");
  io.signal("SIGINT");
  expect(await running).toBe(130);
  // The first one alone waits for 10 s and more.
  expect(performance.now() - startedMs).toBeLessThan(8_000);
});

test("with no server there, one is started, shared by those who come at once, and gone after the last", async () => {
  const first = create({});
  const home = first.env.SAMOVAR_HOME;
  const second = create({ SAMOVAR_HOME: home });
  expect(await Promise.all([runCli(["run", "app.ts:add", "--input", "1"], first), runCli(["run", "app.ts:add", "--input", "2"], second)])).toEqual([0, 0]);
  expect([first.out(), second.out()]).toEqual(["2\n", "3\n"]);
  expect({ code: await runCli(["down"], first), err: first.err() }).toEqual({ code: 0, err: expect.any(String) });
  expect(await findServer(parseSettings(first))).toBeNull();
});

test("a server that is killed meanwhile is told, with where to look", async () => {
  const io = create({});
  const running = runCli(["run", "app.ts:wait", "--input", "null"], io);
  await io.sees(/\[wait\] waiting/);
  const server = await findServer(parseSettings(io));
  const looking = create({ SAMOVAR_HOME: io.env.SAMOVAR_HOME });
  await runCli(["container", "list", "--json"], looking);
  const { containers } = JSON.parse(looking.out()) as { containers: ContainerInfo[] };
  process.kill(server!.pid!, "SIGKILL");
  expect(await running).toBe(1);
  // A runner waits for its server to come back; this one never will.
  for (const container of containers) process.kill(container.pid!, "SIGKILL");
  expect(io.err()).toMatch(/error \(server_unreachable\): The server at \S+ broke the connection: \w+\. It may have stopped or crashed/);
});

test("Ctrl-C before anything has begun ends it, and no server is left", async () => {
  const io = create({});
  mkdirSync(join(io.folder, "home"));
  const running = runCli(["run", "app.ts:add", "--input", "1"], io);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  expect(await findServer(parseSettings(io))).toBeNull();
});

test("a home that is a file is told as that", async () => {
  const io = create({});
  writeFileSync(io.env.SAMOVAR_HOME!, "");
  for (const argv of [
    ["run", "app.ts:add", "--input", "1"],
    ["up", "-d"],
  ]) {
    expect(await runCli(argv, io)).toBe(1);
    expect(io.err()).toMatch(/error \(storage_failed\): The home \S+home can't be used: .*\n {2}→ Set SAMOVAR_HOME/);
  }
});

test("a driver that the server doesn't use is refused", async () => {
  const status = create();
  await runCli(["status", "--json"], status);
  const used = (JSON.parse(status.out()) as { driver: { name: string } }).driver.name;
  const other = used === "oci" ? "process" : "oci";
  const io = create();
  expect(await runCli(["run", "app.ts:add", "--input", "1", "--driver", other], io)).toBe(1);
  expect(io.err()).toContain(`runs containers with the driver ${used}, not ${other}`);
});
