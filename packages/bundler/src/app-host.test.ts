import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import path from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { bundleApp } from "./app-bundler.ts";
import { extractManifest, startAppHost, type AppHost, type AppHostOptions } from "./app-host.ts";
import { makeFolder, makeSdk, type Files } from "./project.fixture.ts";

type Extra = Partial<AppHostOptions>;

async function options(files: Files, extra: Extra = {}): Promise<AppHostOptions> {
  const sdkEntry = makeSdk();
  const bundle = await bundleApp({ file: path.join(makeFolder(files), "my app.ts"), sdkEntry });
  return { bundle, sdkEntry, stdio: ["ignore", "pipe", "pipe"], ...extra };
}

async function start(source: string, files: Files = {}, extra: Extra = {}): Promise<AppHost & { root: string; out: Promise<string>; err: Promise<string> }> {
  const all = await options({ "my app.ts": source, ...files }, extra);
  const host = await startAppHost(all);
  onTestFinished(() => host.dispose());
  return { ...host, root: all.bundle.root, out: text(host.stdout!), err: text(host.stderr!) };
}

const load = async (source: string, extra: Extra = {}): Promise<unknown> => extractManifest(await options({ "my app.ts": source }, extra));

test("the manifest names what the module exports, and the app after the file or as asked", async () => {
  const source = `import { fn } from "samovar"; export const f = fn({}, (x: number) => x); export default () => {};`;
  expect(await load(source)).toMatchObject({ app: "my-app", functions: [{ name: "f" }], hasMain: true });
  expect(await load(source, { appName: "other" })).toMatchObject({ app: "other" });
});

test("the app is named after the nearest package.json", async () => {
  const all = await options({ "my app.ts": "export {};", "package.json": `{ "name": "@acme/shop" }` });
  expect(await extractManifest(all)).toEqual({ manifestVersion: 1, app: "shop", functions: [], hasMain: false });
});

test("main gets its arguments, live handles and its own stdout; what was printed at load went to stderr", async () => {
  const host = await start(
    `import { fn, onExit } from "samovar";
    import { readFileSync } from "node:fs";
    console.log("loading");
    export const f = fn({}, (x: number) => x);
    export default async function main(...args: string[]) {
      onExit(() => console.log("at exit"));
      console.log(JSON.stringify([args, process.argv.slice(1), await f.remote(3), readFileSync(new URL("./book.txt", import.meta.url), "utf8"), import.meta.dirname]));
    }`,
    { "book.txt": "text of the book" },
  );
  expect(await host.runMain({ args: ["a", "--b"], transport: { url: "http://s", token: "t", functionIds: { f: "fn_1" } } })).toBe(0);
  const [line = "", last] = (await host.out).trim().split("\n");
  expect(JSON.parse(line)).toEqual([
    ["a", "--b"],
    [path.join(host.root, "my app.ts"), "a", "--b"],
    { settings: { url: "http://s", token: "t", functionIds: { f: "fn_1" } }, target: { kind: "function", name: "f" }, input: 3 },
    "text of the book",
    host.root,
  ]);
  expect(last).toBe("at exit");
  expect(await host.err).toBe("loading\n");
});

test("an error of main is printed with its cause and the author's lines, and ends with 1", async () => {
  const host = await start(`export default async function main() {\n  throw new TypeError("no luck", { cause: new Error("deep down") });\n}`);
  expect(await host.runMain({ args: [], transport: null })).toBe(1);
  const printed = await host.err;
  expect(printed).toMatch(/^TypeError: no luck\n {4}at .*my app\.ts:2:9/);
  expect(printed).toContain("[cause] Error: deep down");
  expect(printed).not.toMatch(/node:internal|app-host/);
});

test("main's own exit code is kept, and a main that can never end is told", async () => {
  const exits = await start(`export default () => process.exit(7);`);
  expect(await exits.runMain({ args: [], transport: null })).toBe(7);
  const sets = await start(`export default () => { process.exitCode = 4; };`);
  expect(await sets.runMain({ args: [], transport: null })).toBe(4);
  const throws = await start(`export default () => { process.exitCode = 4; throw new Error("no"); };`);
  expect(await throws.runMain({ args: [], transport: null })).toBe(1);
  const stuck = await start(`export default () => new Promise(() => {});`);
  expect(await stuck.runMain({ args: [], transport: null })).toBe(1);
  expect(await stuck.err).toContain("main waits for something that can never happen");
});

test("an interrupt runs what was registered for the exit", async () => {
  const host = await start(
    `import { onExit } from "samovar";
    export default async () => { onExit(() => console.log("stop hook")); console.log("ready"); await new Promise((r) => setTimeout(r, 60_000)); };`,
  );
  const code = host.runMain({ args: [], transport: null });
  host.stdout!.once("data", () => host.interrupt());
  expect(await code).toBe(130);
  expect(await host.out).toBe("ready\nstop hook\n");
});

test("a terminal's Ctrl-C that was passed on as well counts once, a second one ends it at once", async () => {
  const source = `import { onExit } from "samovar";
    export default async () => {
      onExit(async () => { console.log("stopping"); await new Promise((r) => setTimeout(r, process.argv[2] === "slow" ? 60_000 : 50)); console.log("stopped"); });
      console.log("ready");
      process.once("SIGINT", () => console.log("got it"));
      process.kill(process.pid, "SIGINT");
      await new Promise((r) => setTimeout(r, 60_000));
    };`;
  const single = await start(source);
  const code = single.runMain({ args: [], transport: null });
  single.stdout!.on("data", (chunk: Buffer) => chunk.includes("stopping") && single.interrupt());
  expect(await code).toBe(130);
  expect(await single.out).toBe("ready\nstopping\ngot it\nstopped\n");

  const twice = await start(source);
  const second = twice.runMain({ args: ["slow"], transport: null });
  twice.stdout!.once("data", () => {
    twice.interrupt();
    twice.interrupt();
  });
  expect(await second).toBe(130);
  expect(await twice.out).not.toContain("stopped");
});

test("dispose ends a running main, with its stop hooks", async () => {
  const host = await start(
    `import { onExit } from "samovar";
    export default async () => { onExit(() => console.log("stop hook")); console.log("ready"); await new Promise((r) => setTimeout(r, 60_000)); };`,
  );
  const code = host.runMain({ args: [], transport: null });
  host.stdout!.once("data", () => void host.dispose());
  expect(await code).toBe(143);
  expect(await host.out).toBe("ready\nstop hook\n");
});

test("what a module throws while it loads is told with its line, and a definition's mistake as the SDK says it", async () => {
  await expect(load(`const a: any = null;\na.b;`)).rejects.toMatchObject({
    code: "load_failed",
    message: expect.stringMatching(/^my app\.ts can't be loaded: TypeError: .*\n {4}at .*\(my app\.ts:2:3\)$/),
  });
  const mistake = `throw Object.assign(new Error("Unknown option"), { name: "SamovarError", code: "invalid_option", fields: {}, [Symbol.for("samovar.error")]: true });`;
  await expect(load(mistake)).rejects.toMatchObject({ code: "invalid_option", message: "Unknown option" });
  await expect(load(`throw "text";`)).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("A non-error was thrown: text") });
  await expect(load(`void Promise.reject(new Error("unheard")); await new Promise((r) => setTimeout(r, 60_000));`)).rejects.toMatchObject({
    message: expect.stringContaining("unheard"),
  });
});

test("a module that exits, waits for nothing, or never ends is told apart", async () => {
  await expect(load(`process.exit(3);`)).rejects.toMatchObject({
    code: "load_failed",
    message: expect.stringContaining("ended the process with exit code 3 while it loaded"),
  });
  await expect(load(`await new Promise(() => {});`)).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("never finished loading") });
  await expect(load(`for (;;);`, { loadTimeoutMs: 500 })).rejects.toMatchObject({ code: "load_failed", message: expect.stringContaining("within 0.5 s") });
});

test("a load can be given up", async () => {
  const abort = new AbortController();
  const loading = load(`for (;;);`, { signal: abort.signal });
  abort.abort(new Error("edited meanwhile"));
  await expect(loading).rejects.toThrow("edited meanwhile");
});

test("the module sees the author's variables, and packages that stay outside are found from its own place", async () => {
  const host = await start(
    `import words from "words"; import { wrapped } from "wrapper"; export default () => console.log(words, wrapped, process.env.MINE);`,
    {
      "node_modules/wrapper/package.json": `{ "name": "wrapper" }`,
      "node_modules/wrapper/index.js": `exports.wrapped = require("words").length;`,
      "node_modules/words/package.json": `{ "name": "words" }`,
      "node_modules/words/index.js": `module.exports = require("fs").readFileSync(__dirname + "/words.txt", "utf8");`,
      "node_modules/words/words.txt": "one two",
    },
    { env: { ...process.env, MINE: "set" } },
  );
  expect(await host.runMain({ args: [], transport: null })).toBe(0);
  expect(await host.out).toBe("one two 7 set\n");
});

test("when the parent is killed, main ends and nothing is left behind", async () => {
  const sdkEntry = makeSdk();
  const file = path.join(
    makeFolder({ "app.ts": `export default async () => { console.log("running"); await new Promise((r) => setTimeout(r, 60_000)); };` }),
    "app.ts",
  );
  const temporary = makeFolder();
  const script = `
    import { bundleApp, startAppHost } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    const settings = { file: ${JSON.stringify(file)}, sdkEntry: ${JSON.stringify(sdkEntry)} };
    const host = await startAppHost({ ...settings, bundle: await bundleApp(settings) });
    await host.runMain({ args: [], transport: null });`;
  const parent = spawn(process.execPath, ["--conditions=samovar-source", "--input-type=module", "--eval", script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const closed = once(parent.stdout, "close");
  await once(parent.stdout, "data");
  expect(readdirSync(temporary)).toHaveLength(1);
  parent.kill("SIGKILL");
  // Main has the same pipe: it closes when both are gone.
  await closed;
  expect(readdirSync(temporary)).toEqual([]);
});
