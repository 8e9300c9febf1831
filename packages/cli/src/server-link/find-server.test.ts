import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { parseSettings } from "../settings.ts";
import { findServer } from "./find-server.ts";
import { isAlive } from "./server-file.ts";

const home = mkdtempSync(join(tmpdir(), "samovar-find-"));
afterEach(() => rmSync(home, { recursive: true, force: true }));

const find = (env: Record<string, string> = {}) => findServer(parseSettings({ env: { SAMOVAR_HOME: home, ...env }, cwd: "/" }));
const hold = (content: string): void => {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "server.json"), content);
  writeFileSync(join(home, "admin-token"), "smv_admin\n");
};

test("SAMOVAR_URL comes before the server of the home", async () => {
  hold(JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:1" }));
  expect(await find({ SAMOVAR_URL: "http://elsewhere:8700", SAMOVAR_TOKEN: "t" })).toEqual({ url: "http://elsewhere:8700", token: "t", pid: null });
});

test("the server of the home is known with its token", async () => {
  hold(JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:1", startedAtMs: 1 }));
  expect(await find()).toEqual({ url: "http://127.0.0.1:1", token: "smv_admin", pid: process.pid });
});

test("a home that isn't there, a file that is half written and one of a process that ended are no server", async () => {
  expect(await find()).toBeNull();
  hold('{"pid": 1');
  expect(await find()).toBeNull();
  const child = spawn(process.execPath, ["-e", "0"]);
  await once(child, "exit");
  hold(JSON.stringify({ pid: child.pid, url: "http://127.0.0.1:1" }));
  expect(await find()).toBeNull();
});

test("a home that can't be read is told as that", async () => {
  mkdirSync(join(home, "server.json"), { recursive: true });
  await expect(find()).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining(`The home ${home} can't be used: EISDIR`) });
});

// Only Linux shows the states of processes in /proc.
test.skipIf(process.platform !== "linux")("a process that ended and that nobody waited for is not alive", async () => {
  // It stands still after it started a child, so nobody waits for that.
  const script =
    'const child = require("node:child_process").spawn("true"); process.stdout.write(String(child.pid)); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);';
  const parent = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  try {
    await expect.poll(() => isAlive(pid), { interval: 5, timeout: 25_000 }).toBe(false);
    expect(() => process.kill(pid, 0)).not.toThrow();
  } finally {
    parent.kill("SIGKILL");
  }
});
