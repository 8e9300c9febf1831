import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { failOnLeaks } from "@samovar/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";

const APP = fileURLToPath(new URL("app.ts", import.meta.url));
const SAMOVAR = fileURLToPath(new URL("../../node_modules/.bin/samovar", import.meta.url));

const folder = failOnLeaks();
// A server that stays, for `down` returns when it is gone; an embedded one ends by itself, a moment after the command that started it.
beforeEach(async () => {
  await samovar("up", "-d", "--port", "0");
});
afterEach(async () => {
  await samovar("down");
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, SAMOVAR_HOME: folder(), SAMOVAR_URL: undefined, SAMOVAR_TOKEN: undefined });

async function samovar(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [SAMOVAR, ...args], { env: environment() });
  return stdout;
}

test("samovar run calls one function and prints its result", async () => {
  expect(await samovar("run", `${APP}:hello`, "--input", '{"name":"Samovar"}')).toBe('{"message":"Hello, Samovar!"}\n');
});

test("samovar run runs main, whose map goes through containers", async () => {
  const lines = (await samovar("run", APP)).trimEnd().split("\n");
  expect(lines.map((line) => line.split(",")[0])).toEqual(["1 × 1 = 1", "2 × 2 = 4", "3 × 3 = 9"]);
});

test("samovar serve answers over HTTP until Ctrl-C", async () => {
  const child = spawn(process.execPath, [SAMOVAR, "serve", APP], { env: environment(), stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const { url, authorization } = await readAddress(child.stdout);
  const response = await fetch(url, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: '{"name":"HTTP"}' });
  expect([response.status, await response.json()]).toEqual([200, { message: "Hello, HTTP!" }]);
  child.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
});

async function readAddress(stdout: NodeJS.ReadableStream): Promise<{ url: string; authorization: string }> {
  for await (const line of createInterface({ input: stdout })) {
    const url = /http:\S+\/endpoint\/hello-dev$/.exec(line)?.[0];
    if (url) return { url, authorization: `Bearer ${(await readFile(join(folder(), "admin-token"), "utf8")).trim()}` };
  }
  throw new Error("samovar serve ended before it printed a URL");
}
