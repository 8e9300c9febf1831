import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { DeployEvent, DeployRequest, DeployResponse } from "@samovar/protocol";
import { afterEach, expect, test, vi } from "vitest";
import { logLine, startControlServer, TOKEN, type ControlServer, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo, type TestIoOptions } from "../test-io.fixture.ts";

// Servers, bundles and containers: on a machine that is busy with other things that takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

const SOURCE = `
import { App, endpoint, method } from "samovar";
console.log("loading");
const app = new App("models");
export const hello = endpoint({}, async () => "hi");
class Model { @method() predict(x: number): number { return x; } @method() train(): void {} }
export const model = app.cls(Model, {});
`;

/** What a server would answer: the next version of each function that is asked for. */
function deployed({ manifest, only }: DeployRequest, over: Partial<DeployResponse> = {}): DeployEvent {
  const functions = manifest.functions
    .filter((fn) => only === undefined || only.includes(fn.name))
    .map(({ name, kind }, i) => ({ name, kind, version: 3, id: `fn_${i}`, url: `http://127.0.0.1:8700/${kind}/${name}` }));
  return { type: "deployed", result: { functions, app: manifest.app, deployId: "dp_3", left: [], pruned: [], ...over } };
}

async function setUp(
  data: ControlServerData = { deploy: (request) => [deployed(request)] },
  source: string = SOURCE,
  options: TestIoOptions = {},
): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const io = createTestIo({ ...options, env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN, NO_COLOR: "1" } });
  cleanUps.push(() => server.dispose(), io.remove);
  writeFileSync(join(io.folder, "app.ts"), source);
  return { io, server };
}

const request = (server: ControlServer): DeployRequest => server.bodies.find((body) => typeof body === "object" && "manifest" in body!) as DeployRequest;

test("it prints the URL of each function and method, and a line that calls one", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["deploy", "app.ts"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "NAME           KIND      VERSION  URL
    hello          endpoint        3  http://127.0.0.1:8700/endpoint/hello
    model.predict  cls             3  http://127.0.0.1:8700/cls/model/predict
    model.train    cls             3  http://127.0.0.1:8700/cls/model/train
      curl -N -H "authorization: Bearer $SAMOVAR_TOKEN" -H 'content-type: application/json' -d '{}' 'http://127.0.0.1:8700/endpoint/hello'
    "
  `);
  expect(io.err()).toMatch(/^Loading app\.ts\nloading\nSending the code\nDeploying\nDeployed models in .*\n$/);
  expect(server.requests[0]).toBe("GET /api/v1/server");
  expect(request(server)).toMatchObject({ manifest: { app: "models" }, deployKey: expect.any(String) });
  expect(Object.keys(request(server)).toSorted()).toEqual(["code", "deployKey", "manifest"]);
});

test("--json prints the contract's line on stdout and nothing else, whatever the module prints", async () => {
  const { io } = await setUp();
  expect(await runCli(["deploy", "app.ts", "--json"], io)).toBe(0);
  expect(io.out()).toBe(
    `${JSON.stringify({
      app: "models",
      functions: [
        { name: "hello", kind: "endpoint", version: 3, id: "fn_0", url: "http://127.0.0.1:8700/endpoint/hello" },
        { name: "model", kind: "cls", version: 3, id: "fn_1", url: "http://127.0.0.1:8700/cls/model" },
      ],
      deployId: "dp_3",
      left: [],
      pruned: [],
    })}\n`,
  );
});

test("options go to the server as they are", async () => {
  const { io, server } = await setUp();
  expect(await runCli(["deploy", "app.ts:hello", "--name", "hallo", "--prune", "--no-wait", "--take-over", "--force-build", "-e", "A=1"], io)).toBe(0);
  expect(request(server)).toMatchObject({ only: ["hallo"], prune: true, noWait: true, takeOver: true, forceBuild: true });
  expect(request(server).manifest.functions.map((fn) => [fn.name, fn.exportName, fn.options.env])).toEqual([
    ["hallo", "hello", { A: "1" }],
    ["model", "model", { A: "1" }],
  ]);
  expect(io.out()).toMatch(/hallo +endpoint +3/);
});

test.each([
  [["app.ts", "--name", "other"], /--name gives one function its name, and app\.ts has 2[\s\S]*app\.ts:hello, app\.ts:model/],
  [["app.ts:hello", "--name", "MODEL"], /another function "model"/],
  [["app.ts:hello", "--name", "a b"], /"a b" is not a name/],
  [["app.ts:helo"], /has no function "helo"[\s\S]*Did you mean hello\?/],
  [["app.ts:model.predict"], /deployed with all its methods[\s\S]*samovar deploy app\.ts:model/],
  [["gone.ts"], /There is no file gone\.ts/],
])("%j is refused, and nothing is deployed", async (argv, message) => {
  const { io, server } = await setUp();
  expect(await runCli(["deploy", ...argv], io)).toBe(1);
  expect(io.err()).toMatch(message);
  expect(io.out()).toBe("");
  expect(request(server)).toBeUndefined();
});

test("a module without functions has nothing to deploy", async () => {
  const { io } = await setUp(undefined, "export const nothing = 1;\n");
  expect(await runCli(["deploy", "app.ts"], io)).toBe(1);
  expect(io.err()).toContain("app.ts defines no function to deploy");
});

test("steps, notes and the output of hooks are told on stderr, each hook's under its name", async () => {
  const hook = { kind: "hook" as const, hook: "migrate", phase: "deploy" as const };
  const { io } = await setUp({
    deploy: (asked) => [
      { type: "note", message: "onBuild cached from 2 h ago" },
      { type: "progress", message: "onDeploy of hello" },
      { type: "log", line: logLine({ function: "hello", text: "3 tables", source: hook }) },
      { type: "progress", message: "onDeploy of hello" },
      deployed(asked),
    ],
  });
  expect(await runCli(["deploy", "app.ts"], io)).toBe(0);
  expect(io.err()).toContain("Deploying\nonBuild cached from 2 h ago\nonDeploy of hello\n[hello migrate] 3 tables\nDeployed models");
  expect(io.err().match(/onDeploy of hello/g)).toHaveLength(1);
});

test("functions that the module no longer has are listed, and --prune tells which it stopped", async () => {
  const old = { name: "old", kind: "endpoint" as const, version: 1, id: "fn_9", url: "http://127.0.0.1:8700/endpoint/old" };
  const left = await setUp({ deploy: (asked) => [deployed(asked, { left: [old] })] });
  expect(await runCli(["deploy", "app.ts"], left.io)).toBe(0);
  expect(left.io.err()).toContain(
    "Still deployed, though the module no longer has it: old (endpoint, version 1)\n  → `samovar deploy app.ts --prune` stops it\n",
  );
  const pruned = await setUp({ deploy: (asked) => [deployed(asked, { left: [old], pruned: ["old"] })] });
  expect(await runCli(["deploy", "app.ts", "--prune"], pruned.io)).toBe(0);
  expect(pruned.io.err()).toContain("Stopped, because the module no longer has it: old\n");
  expect(pruned.io.err()).not.toContain("Still deployed");
});

test("a hook that fails shows its output and its error; exit code 1, nothing on stdout", async () => {
  const { io } = await setUp({
    deploy: () => [
      { type: "log", line: logLine({ function: "hello", text: "connecting", source: { kind: "hook", hook: "migrate", phase: "deploy" } }) },
      {
        type: "failed",
        problem: {
          type: "about:blank",
          title: "onDeploy failed",
          status: 503,
          code: "deploy_failed",
          detail: "onDeploy hook migrate of hello threw Error: no database",
          error: { name: "Error", message: "no database", stack: "Error: no database\n    at migrate (app.ts:4:9)" },
        },
      },
    ],
  });
  expect(await runCli(["deploy", "app.ts", "--json"], io)).toBe(1);
  expect(io.out()).toBe("");
  expect(io.err()).toContain("[hello migrate] connecting\n");
  expect(io.err()).toContain("error (deploy_failed): onDeploy hook migrate of hello threw Error: no database\n");
  expect(io.err()).toContain("    at migrate (app.ts:4:9)");
});

test("Ctrl-C gives the deploy up by hanging up: exit code 130 and no error", async () => {
  const { io, server } = await setUp({ deploy: () => [{ type: "progress", message: "onBuild of hello" }] });
  const running = runCli(["deploy", "app.ts"], io);
  await io.sees(/onBuild of hello/);
  io.signal("SIGINT");
  expect(await running).toBe(130);
  await server.hungUp;
  expect(io.out()).toBe("");
  expect(io.err()).toMatch(/onBuild of hello\nThe deploy was given up: what was deployed before goes on serving\n$/);
});

test("a server that goes in the middle is told, with what to look at", async () => {
  const { io, server } = await setUp({ deploy: () => [{ type: "progress", message: "onBuild of hello" }] });
  const running = runCli(["deploy", "app.ts"], io);
  await io.sees(/onBuild of hello/);
  await server.dispose();
  cleanUps.shift();
  expect(await running).toBe(1);
  expect(io.err()).toMatch(/error \(server_unreachable\): The server at .* broke the connection/);
});

test("mistakes in types are shown and stop nothing", async () => {
  const { io } = await setUp(undefined, `${SOURCE}export const wrong: number = "one";\n`);
  expect(await runCli(["deploy", "app.ts"], io)).toBe(0);
  expect(io.out()).toContain("hello");
  expect(io.err()).toMatch(/TS2322[\s\S]*Type errors don't stop a deploy/);
});

test("an error of the bundler is told before anything is sent", async () => {
  const { io, server } = await setUp(undefined, "export const = 1;\n");
  expect(await runCli(["deploy", "app.ts"], io)).toBe(1);
  expect(io.err()).toContain("error (bundle_failed)");
  expect(server.requests).toEqual(["GET /api/v1/server"]);
});

test("without a server, `samovar up -d` is what to do", async () => {
  const io = createTestIo();
  cleanUps.push(io.remove);
  writeFileSync(join(io.folder, "app.ts"), SOURCE);
  expect(await runCli(["deploy", "app.ts"], io)).toBe(1);
  expect(io.err()).toContain(
    `No server runs with the home ${io.env.SAMOVAR_HOME}, and what is deployed needs one that stays\n  → Start one with \`samovar up -d\``,
  );
});

test("an embedded server, which ends with its sessions, is refused", async () => {
  const server = await startControlServer({ embedded: true });
  const io = createTestIo();
  cleanUps.push(() => server.dispose(), io.remove);
  writeFileSync(join(io.folder, "app.ts"), SOURCE);
  mkdirSync(io.env.SAMOVAR_HOME!);
  writeFileSync(join(io.env.SAMOVAR_HOME!, "server.json"), JSON.stringify({ pid: process.pid, url: server.url }));
  writeFileSync(join(io.env.SAMOVAR_HOME!, "admin-token"), `${TOKEN}\n`);
  expect(await runCli(["deploy", "app.ts"], io)).toBe(1);
  expect(io.err()).toMatch(/ends with its last session[\s\S]*then run `samovar up -d`/);
});
