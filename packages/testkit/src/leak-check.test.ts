import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { createProcessDriver } from "@samovar/runtime";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { probeFile } from "./driver-probe.ts";
import { failOnLeaks, findLeaks, isRunning, openHandles } from "./leak-check.ts";

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "samovar-leak-")));
});
afterEach(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

test("where nothing is left nothing is told", async () => {
  await mkdir(join(folder, "containers"));
  expect(await findLeaks({ folder, empty: ["containers", "missing"], handlesBefore: openHandles() })).toEqual([]);
});

test("what lies in a folder that must be empty is told", async () => {
  await mkdir(join(folder, "containers/ct_1"), { recursive: true });
  await writeFile(join(folder, "other"), "");
  expect(await findLeaks({ folder, empty: ["containers"] })).toEqual(["folder entry containers/ct_1"]);
});

test.runIf(process.platform === "linux").for([
  ["that runs in the folder", (cwd: string) => ({ cwd })],
  ["whose environment names it", (cwd: string) => ({ env: { ...process.env, HOME: `${cwd}/home` } })],
] as const)("a process %s is told until it has ended", async ([, where]) => {
  const child = spawn("sleep", ["600"], { stdio: "ignore", detached: true, ...where(folder) });
  await once(child, "spawn");
  expect(await findLeaks({ folder })).toEqual([`process ${child.pid}: sleep 600`]);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  expect(await isRunning(child.pid!)).toBe(false);
  expect(await findLeaks({ folder })).toEqual([]);
});

test("a socket that is open is told", async () => {
  const handlesBefore = openHandles();
  const server = createServer().listen(join(folder, "s"));
  await once(server, "listening");
  expect(await findLeaks({ folder, handlesBefore })).toEqual(["1 × PipeWrap open in this process"]);
  server.close();
  await once(server, "close");
  expect(await findLeaks({ folder, handlesBefore })).toEqual([]);
});

test("control groups of this process are told", async (context) => {
  const driver = await createProcessDriver({
    home: join(folder, "containers"),
    nodePath: process.execPath,
    runnerFile: probeFile,
    clock: systemClock,
    logger: silentLogger,
  });
  const found = await findLeaks({ folder });
  await driver.dispose();
  if (driver.info.capabilities.memoryLimit !== "enforced") context.skip("needs memoryLimit enforced");
  expect(found).toContainEqual(expect.stringMatching(new RegExp(`^control group .*samovar-${process.pid}\\.`)));
  expect(await findLeaks({ folder })).toEqual([]);
});

describe("failOnLeaks", () => {
  const own = failOnLeaks({ empty: ["containers"] });
  let last = "";
  test("gives a folder", async () => {
    last = own();
    await mkdir(join(last, "containers"));
    expect(await isRunning(process.pid)).toBe(true);
  });
  test("gives each test a folder of its own", () => {
    expect(own()).not.toBe(last);
  });
});
