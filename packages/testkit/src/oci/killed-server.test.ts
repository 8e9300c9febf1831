import { spawn } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FakeClock, silentLogger, systemClock, type Logger } from "@samovar/kit";
import { createOciDriver, type ContainerSpec } from "@samovar/runtime";
import { expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { failOnLeaks, findProcesses } from "../leak-check.ts";

const withoutRunc = await needDebianPackage("runc");
const serverPids: number[] = [];
const folder = failOnLeaks({ empty: ["containers"], serverPids: () => serverPids });
const ID = `ct_killed_${process.pid}`;

/** Resolves when this entry has appeared in a folder that is there. */
async function appears(dir: string, name: string): Promise<void> {
  const watcher = watch(dir);
  try {
    const seen = new Promise<void>((resolve) => watcher.on("change", (_, entry) => entry === name && resolve()));
    if (!(await readdir(dir)).includes(name)) await seen;
  } finally {
    watcher.close();
  }
}

const containers = (): string => join(folder(), "containers");
const container = async (): Promise<string> => appears(containers(), ID).then(() => join(containers(), ID));
/** What of a start has happened when the server is killed. */
const STEPS: Readonly<Record<string, (output: Promise<unknown>) => Promise<unknown>>> = {
  "the container has its folder": container,
  "the runtime's configuration is written": async () => appears(await container(), "config.json"),
  "the runtime has begun": async () => {
    const dir = await container();
    await appears(dir, "state");
    await appears(join(dir, "state"), ID);
  },
  "the main program runs": (output) => output,
};

// The reason stands in the name.
test.skipIf(withoutRunc !== null).for(Object.keys(STEPS).flatMap((step) => (["crun", "runc"] as const).map((runtime) => [runtime, step] as const)))(
  `%s: of a server that is killed when %s, the next one leaves nothing${withoutRunc === null ? "" : ` (${withoutRunc})`}`,
  async ([runtime, step]) => {
    const options = { home: containers(), nodePath: process.execPath, runnerFile: join(folder(), "runner.mjs"), runtimes: [runtime] };
    await mkdir(join(folder(), "code"));
    await mkdir(options.home);
    await mkdir(join(folder(), "server"), { recursive: true });
    await writeFile(join(folder(), "server/s"), "");
    await writeFile(options.runnerFile, `console.log("up"); setInterval(() => {}, 1e6);`);
    const spec: ContainerSpec = {
      containerId: ID,
      functionName: "killed",
      serverAddress: join(folder(), "server/s"),
      token: "token",
      code: { codeId: "code", sourceDir: join(folder(), "code"), entry: "index.mjs", nodeModules: [] },
      env: {},
      serverUrl: "",
      network: { mode: "none", allow: [] },
      gpus: [],
      limits: { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 64, workers: 1 },
    };
    await writeFile(
      join(folder(), "server.ts"),
      `import { createOciDriver } from ${JSON.stringify(import.meta.resolve("@samovar/runtime"))};
       import { silentLogger, systemClock } from ${JSON.stringify(import.meta.resolve("@samovar/kit"))};
       const driver = await createOciDriver({ ...${JSON.stringify(options)}, clock: systemClock, logger: silentLogger });
       await driver.start(${JSON.stringify(spec)}, { output: (_, chunk) => process.stdout.write(chunk), mainExited() {} });`,
    );
    const server = spawn(process.execPath, ["--conditions=samovar-source", join(folder(), "server.ts")], { stdio: ["ignore", "pipe", "inherit"] });
    serverPids.push(server.pid!);
    const exited = once(server, "exit");
    await STEPS[step]!(once(server.stdout, "data"));
    server.kill("SIGKILL");
    await exited;

    const { clock, logger, look } = clockAndLooks();
    const driver = await createOciDriver({ ...options, clock, logger });
    // What runs may end by itself until the last look, which ends it.
    const left = async (): Promise<boolean> => (await readdir(containers())).includes(ID);
    for (const byMs of [11_000, 34_000, 75_000]) if (await left()) await look(byMs);
    expect(await left()).toBe(false);
    expect(await findProcesses(join(containers(), ID))).toEqual([]);
    expect(await loopFiles()).not.toEqual(expect.arrayContaining([expect.stringContaining(ID)]));
    await driver.dispose();
  },
);

// Needs runc or crun, as above.
test.skipIf(withoutRunc !== null)("what the driver mounts nobody else sees", async () => {
  const driver = await createOciDriver({ home: containers(), nodePath: process.execPath, runnerFile: "/none", clock: systemClock, logger: silentLogger });
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  expect(mounts).not.toContain("/run/samovar");
  expect(mounts).not.toContain(folder());
  await driver.dispose();
});

/** Files that stand behind block devices. */
async function loopFiles(): Promise<string[]> {
  const devices = (await readdir("/sys/block")).filter((name) => name.startsWith("loop"));
  return Promise.all(devices.map((name) => readFile(`/sys/block/${name}/loop/backing_file`, "utf8").catch(() => "")));
}

/** A clock that moves on demand, and the end of each look for leftovers. */
function clockAndLooks(): { clock: FakeClock; logger: Logger; look(byMs: number): Promise<void> } {
  const clock = new FakeClock();
  let wake: () => void = () => {};
  const logger: Logger = { ...silentLogger, info: () => wake() };
  return {
    clock,
    logger,
    look: (byMs) =>
      new Promise<void>((resolve) => {
        wake = resolve;
        clock.advance(byMs);
      }),
  };
}
