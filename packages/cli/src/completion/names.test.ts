import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import {
  containerInfo,
  deploymentDetail,
  functionInfo,
  startControlServer,
  TOKEN,
  tokenInfo,
  type ControlServer,
  type ControlServerData,
} from "../control-server.fixture.ts";
import { callbackInfo, scheduleInfo, taskDetail } from "../task-server.fixture.ts";
import { listNames } from "./names.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const LAUNCHER = join(HERE, "..", "..", "bin", "samovar.js");
const servers: ControlServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.dispose();
});

async function start(data: ControlServerData = {}): Promise<{ env: Record<string, string>; cwd: string }> {
  const server = await startControlServer(data);
  servers.push(server);
  return { env: { SAMOVAR_URL: `${server.url}/`, SAMOVAR_TOKEN: TOKEN }, cwd: HERE };
}

const DATA: ControlServerData = {
  functions: [functionInfo(), functionInfo({ name: "hello-dev" })],
  containers: [containerInfo(), containerInfo({ id: "ct_beta" })],
  deployments: [deploymentDetail(), deploymentDetail({ name: "other" })],
  tasks: [taskDetail(), taskDetail({ id: "tk_2" })],
  schedules: [scheduleInfo()],
  callbacks: [callbackInfo()],
  tokens: [tokenInfo(), tokenInfo({ name: "$(rm -rf ~)" }), tokenInfo({ name: "two words" }), tokenInfo({ name: "--all" })],
};

test.each([
  ["function", ["hello-dev", "predict"]],
  ["container", ["ct_alpha", "ct_beta"]],
  ["deployment", ["other", "predict"]],
  ["target", ["ct_alpha", "ct_beta", "hello-dev", "predict"]],
  ["app", ["models"]],
  ["token", ["ci"]],
  ["task", ["tk_1", "tk_2"]],
  ["schedule", ["report"]],
  ["callback", ["cb_1"]],
  ["constructor", []],
])("names of the kind %s, once each, and only those that a shell can't misread", async (kind, expected) => {
  expect(await listNames(kind, await start(DATA))).toEqual(expected);
});

test.each([
  ["a wrong token", { SAMOVAR_TOKEN: "wrong" }],
  ["a server that is gone", { SAMOVAR_URL: "http://127.0.0.1:1" }],
  ["an address that is none", { SAMOVAR_URL: "nonsense" }],
  ["a home without a server", { SAMOVAR_URL: "", SAMOVAR_HOME: "/nonexistent" }],
])("%s gives no names and no error", async (_what, over) => {
  const world = await start(DATA);
  expect(await listNames("function", { ...world, env: { ...world.env, ...over } })).toEqual([]);
});

test("the launcher answers `samovar __complete`", async () => {
  const { env } = await start(DATA);
  const ask = (kind: string) => promisify(execFile)(process.execPath, [LAUNCHER, "__complete", kind], { env: { PATH: process.env["PATH"], ...env } });
  expect(await ask("deployment")).toEqual({ stdout: "other\npredict\n", stderr: "" });
  expect(await ask("nonsense")).toEqual({ stdout: "", stderr: "" });
});

test("it loads nothing but Node's own modules: a key press waits for it", () => {
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, type, source] of readFileSync(file, "utf8").matchAll(/^import (type )?.*?"(.*)";$/gm)) {
      if (type !== undefined || source!.startsWith("node:")) continue;
      expect(source).toMatch(/^\./);
      visit(join(dirname(file), source!));
    }
  };
  visit(join(HERE, "complete-main.ts"));
  expect([...seen].map((file) => file.slice(HERE.length - "completion".length)).toSorted()).toEqual([
    "completion/complete-main.ts",
    "completion/names.ts",
    "home.ts",
    "server-link/server-file.ts",
  ]);
});
