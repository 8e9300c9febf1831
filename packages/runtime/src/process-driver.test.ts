import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, silentLogger, systemClock, type Logger } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { detectCgroups } from "./cgroup-detect.ts";
import { realFiles } from "./cgroups.ts";
import type { ContainerSpec } from "./driver.ts";
import { makePipes, openPipes } from "./container-pipes.ts";
import { createProcessDriver, type ProcessDriverOptions } from "./process-driver.ts";
import { isAlive } from "./process-table.ts";

let root: string;
let options: ProcessDriverOptions;
beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "samovar-driver-")));
  await mkdir(join(root, "code"));
  await writeFile(join(root, "runner.mjs"), "console.log('up'); setInterval(() => {}, 1e6);\n");
  options = { home: join(root, "containers"), nodePath: process.execPath, runnerFile: join(root, "runner.mjs"), clock: systemClock, logger: silentLogger };
});
afterEach(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

const spec = (containerId: string): ContainerSpec => ({
  containerId,
  functionName: "f",
  serverAddress: join(root, "s"),
  token: "t",
  code: { codeId: "c", sourceDir: join(root, "code"), entry: "a.mjs", nodeModules: [] },
  env: {},
  serverUrl: "http://127.0.0.1:8700",
  network: { mode: "host", allow: [] },
  gpus: [],
  limits: { cpuMillis: 1_000, memoryMib: 128, maxProcesses: 64, diskMib: 1_024, workers: 1 },
});
/** Their folders, without what the driver has there for itself. */
const containers = async (): Promise<string[]> => (await readdir(options.home)).filter((name) => !name.startsWith("."));
const deaf = { output() {}, mainExited() {} };

test("a node that is not there is told by path, and nothing is left", async () => {
  const driver = await createProcessDriver({ ...options, nodePath: "/nowhere/node" });
  await expect(driver.start(spec("ct_1"), deaf)).rejects.toMatchObject({ code: "start_failed", message: expect.stringContaining("/nowhere/node") });
  expect(await containers()).toEqual([]);
  await driver.dispose();
});

test("an id that would leave the folder is refused", async () => {
  const driver = await createProcessDriver(options);
  await expect(driver.start(spec("../escape"), deaf)).rejects.toMatchObject({ code: "internal" });
  await driver.dispose();
});

test("listeners that throw do not disturb the container", async () => {
  const errors: string[] = [];
  const driver = await createProcessDriver({ ...options, logger: { ...silentLogger, error: (_fields, message) => void errors.push(message) } });
  const { promise: written, resolve } = Promise.withResolvers<void>();
  const container = await driver.start(spec("ct_1"), {
    output() {
      resolve();
      throw new Error("no");
    },
    mainExited() {
      throw new Error("no");
    },
  });
  await written;
  await container.kill();
  expect(errors).toEqual(["A listener of container events threw", "A listener of container events threw"]);
  await driver.dispose();
});

test("without control groups it says what is missing and how to get it", async () => {
  const driver = await createProcessDriver({ ...options, cgroups: "off" });
  expect(driver.info.capabilities).toMatchObject({ isolation: "none", memoryLimit: "watched", cpuLimit: "none", processLimit: "none" });
  expect(driver.info.missing.join("\n")).toMatch(/CPU limits are not held: /);
  await driver.dispose();
});

/** What a server that was killed leaves: a folder, and maybe a process of that container. */
async function leaveBehind(containerId: string, alive: boolean): Promise<ChildProcess | null> {
  await mkdir(join(options.home, containerId, "work"), { recursive: true });
  if (!alive) return null;
  const child = spawn("sleep", ["600"], { stdio: "ignore", detached: true, env: { SAMOVAR_CONTAINER_ID: containerId, PATH: process.env["PATH"] } });
  await once(child, "spawn");
  return child;
}

/** One that has its pipes, as it has when it was started to its end. */
async function leaveWhole(containerId: string): Promise<ChildProcess> {
  const folder = join(options.home, containerId);
  await mkdir(folder, { recursive: true });
  await makePipes([folder]);
  const { ends, pipes, closeEnds } = openPipes(folder);
  const env = { SAMOVAR_CONTAINER_ID: containerId, PATH: process.env["PATH"] };
  const child = spawn("sleep", ["600"], { stdio: ["ignore", ends.stdout, ends.stderr, ends.life], detached: true, env });
  await once(child, "spawn");
  closeEnds();
  for (const pipe of [pipes.stdout, pipes.stderr, pipes.life]) pipe.close();
  return child;
}

/** A clock, and a logger that tells when the look that the clock set off is over. */
function clockAndLooks(): { clock: FakeClock; logger: Logger; look(byMs: number): Promise<string> } {
  const clock = new FakeClock();
  let wake: (message: string) => void = () => {};
  const logger: Logger = { ...silentLogger, info: (_fields, message) => wake(message), warn: (_fields, message) => wake(message) };
  return {
    clock,
    logger,
    look(byMs) {
      const { promise, resolve } = Promise.withResolvers<string>();
      wake = resolve;
      clock.advance(byMs);
      return promise;
    },
  };
}

test.runIf(process.platform === "linux")("leftovers of a dead server without a process go at once, the others when their processes are gone", async () => {
  const { clock, logger, look } = clockAndLooks();
  await leaveBehind("ct_dead", false);
  const child = (await leaveBehind("ct_alive", true))!;
  const driver = await createProcessDriver({ ...options, clock, logger });
  expect(await readdir(options.home)).toEqual(["ct_alive"]);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
  expect(await look(11_000)).toBe("What an earlier server left is cleared");
  expect(await containers()).toEqual([]);
  await driver.dispose();
});

test.runIf(process.platform === "linux")("leftovers that stay too long are killed", async () => {
  const { clock, logger, look } = clockAndLooks();
  const child = (await leaveBehind("ct_alive", true))!;
  const driver = await createProcessDriver({ ...options, clock, logger });
  for (const byMs of [11_000, 34_000]) {
    expect(await look(byMs)).toBe("Containers of an earlier server are still ending");
    expect(isAlive(child.pid!)).toBe(true);
  }
  const exited = once(child, "exit");
  await look(75_000);
  expect(await exited).toEqual([null, "SIGKILL"]);
  expect(await containers()).toEqual([]);
  await driver.dispose();
});

test.runIf(process.platform === "linux")("what a dead server left has its time to end by itself when it is to be ended, and is killed then", async () => {
  const { clock, logger } = clockAndLooks();
  const [ends, stays] = await Promise.all([leaveWhole("ct_ends"), leaveWhole("ct_stays")]);
  const driver = await createProcessDriver({ ...options, clock, logger });
  const looks = clock.pending;
  const over = driver.endLeft(5_000);
  expect(clock.pending).toBe(looks + 1);
  const exits = [once(ends, "exit"), once(stays, "exit")];
  ends.kill("SIGTERM");
  expect(await exits[0]).toEqual([null, "SIGTERM"]);
  expect(isAlive(stays.pid!)).toBe(true);
  clock.advance(5_000);
  await over;
  expect(await exits[1]).toEqual([null, "SIGKILL"]);
  expect(await containers()).toEqual([]);
  await driver.dispose();
});

test.runIf(process.platform === "linux")("the end of what a dead server left is not waited for longer than it takes, nor when it is hurried", async () => {
  const { clock, logger } = clockAndLooks();
  const child = await leaveWhole("ct_ends");
  const driver = await createProcessDriver({ ...options, clock, logger });
  const over = driver.endLeft(5_000);
  child.kill("SIGTERM");
  await over;
  expect(await containers()).toEqual([]);
  await driver.dispose();

  const other = await leaveWhole("ct_stays");
  const next = await createProcessDriver({ ...options, clock, logger });
  const waiting = next.endLeft(5_000);
  const exited = once(other, "exit");
  await next.endLeft(0);
  expect(await exited).toEqual([null, "SIGKILL"]);
  await waiting;
  expect(await containers()).toEqual([]);
  await next.dispose();
});

test("a driver that is disposed does not wait for leftovers", async () => {
  const { clock, logger } = clockAndLooks();
  const child = (await leaveBehind("ct_alive", true))!;
  const driver = await createProcessDriver({ ...options, clock, logger });
  await driver.dispose();
  expect(clock.pending).toBe(0);
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
});

test.runIf(process.platform === "linux")("a server that is killed leaves containers and control groups that the next one clears", async () => {
  const script = join(root, "server.ts");
  const source = (name: string): string => JSON.stringify(new URL(name, import.meta.url).href);
  await writeFile(
    script,
    `import { createProcessDriver } from ${source("./process-driver.ts")};
     import { silentLogger, systemClock } from ${JSON.stringify(import.meta.resolve("@samovar/kit"))};
     const options = ${JSON.stringify({ ...options, clock: undefined, logger: undefined })};
     const driver = await createProcessDriver({ ...options, clock: systemClock, logger: silentLogger });
     const container = await driver.start(${JSON.stringify(spec("ct_1"))}, { output() { console.log(container.pid, driver.info.capabilities.memoryLimit); }, mainExited() {} });
    `,
  );
  const server = spawn(process.execPath, ["--conditions=samovar-source", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(server.stdout, "data")) as [Buffer];
  const [pid, memoryLimit] = line.toString().trim().split(" ");
  const exited = once(server, "exit");
  server.kill("SIGKILL");
  await exited;
  const parents = (await detectCgroups(realFiles)).hierarchies.map((hierarchy) => hierarchy.parentDir);
  const left = async (): Promise<string[]> =>
    (await Promise.all(parents.map((dir) => readdir(dir)))).flat().filter((name) => name.startsWith(`samovar-${server.pid}.`));
  if (memoryLimit === "enforced") expect(await left()).toHaveLength(parents.length);
  // Its container lives on, so it is cleared by the last look, which kills it.
  const { clock, logger, look } = clockAndLooks();
  const driver = await createProcessDriver({ ...options, clock, logger });
  expect(isAlive(Number(pid))).toBe(true);
  for (const byMs of [11_000, 34_000, 75_000]) await look(byMs);
  expect(await containers()).toEqual([]);
  expect(await left()).toEqual([]);
  await driver.dispose();
});
