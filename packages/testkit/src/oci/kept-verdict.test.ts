import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FakeClock, silentLogger, systemClock } from "@samovar/kit";
import { createOciDriver, type ContainerSpec, type OciDriverOptions, type RuntimeDriver } from "@samovar/runtime";
import { afterEach, expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { failOnLeaks } from "../leak-check.ts";

const withoutCrun = await needDebianPackage("crun");
const folder = failOnLeaks({ empty: ["containers"] });
const drivers: RuntimeDriver[] = [];
// Before it is looked for leaks: hooks run in the order against that of their words.
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.dispose();
});
const verdictFile = (): string => join(folder(), "verdict.json");

interface Kept {
  circumstances: string;
  verdict: { runtime: string; userNamespace: boolean; withoutDisks: string | null; networks: { problem: string | null; warnings: string[] } };
}
const readKept = async (): Promise<Kept> => JSON.parse(await readFile(verdictFile(), "utf8")) as Kept;
const writeKept = (kept: Kept): Promise<void> => writeFile(verdictFile(), JSON.stringify(kept));

async function create(options: Partial<OciDriverOptions> = {}): Promise<RuntimeDriver> {
  const runnerFile = join(folder(), "runner.mjs");
  await writeFile(runnerFile, `console.log("up"); setInterval(() => {}, 1e6);`);
  await mkdir(join(folder(), "code"), { recursive: true });
  await mkdir(join(folder(), "server"), { recursive: true });
  await writeFile(join(folder(), "server/s"), "");
  const driver = await createOciDriver({
    ...{ home: join(folder(), "containers"), nodePath: process.execPath, runnerFile, clock: systemClock, logger: silentLogger },
    ...{ runtimes: ["crun"], verdictFile: verdictFile() },
    ...options,
  });
  drivers.push(driver);
  return driver;
}

const spec = (containerId: string): ContainerSpec => ({
  containerId,
  functionName: "kept",
  serverAddress: join(folder(), "server/s"),
  token: "token",
  code: { codeId: "code", sourceDir: join(folder(), "code"), entry: "index.mjs", nodeModules: [] },
  env: {},
  serverUrl: "",
  network: { mode: "none", allow: [] },
  gpus: [],
  limits: { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 64, workers: 1 },
});

/** Starts one, and ends it when its program has said something. */
async function runOne(driver: RuntimeDriver, id: string): Promise<void> {
  const up = Promise.withResolvers<void>();
  const container = await driver.start(spec(id), { output: () => up.resolve(), mainExited: () => up.resolve() });
  await up.promise;
  await container.kill();
}

const why = withoutCrun === null ? "" : ` (${withoutCrun})`;

// The reason stands in the name.
test.skipIf(withoutCrun !== null)(`what one driver found out the next one says and uses, without trying${why}`, async () => {
  const first = await create();
  const { info } = first;
  await first.dispose();
  const kept = await readKept();
  // A sentence that no trial would find shows whose word it is.
  await writeKept({ ...kept, verdict: { ...kept.verdict, networks: { problem: "Kept", warnings: [] } } });
  const second = await create({ clock: new FakeClock() });
  expect(second.info.missing).toContain("Kept");
  expect({ ...second.info, missing: [] }).toEqual({
    ...info,
    missing: [],
    capabilities: { ...info.capabilities, networkModes: ["host", "none"] },
  });
  await runOne(second, "ct_kept_1");
});

// The reason stands in the name.
test.skipIf(withoutCrun !== null)(`networks are looked at anew after a while, and what is found is kept${why}`, async () => {
  const first = await create();
  const { info } = first;
  await first.dispose();
  const kept = await readKept();
  await writeKept({ ...kept, verdict: { ...kept.verdict, networks: { problem: "Kept", warnings: [] } } });
  const clock = new FakeClock();
  const second = await create({ clock });
  clock.advance(2_000);
  await second.dispose();
  expect(second.info).toEqual(info);
  expect(await readKept()).toEqual(kept);
});

// The reason stands in the name.
test.skipIf(withoutCrun !== null).for([
  ["of other circumstances", (kept: Kept): string => JSON.stringify({ ...kept, circumstances: "another boot" })],
  ["not written to its end", (kept: Kept): string => JSON.stringify(kept).slice(0, 99)],
] as const)(`a file that is %s is of no account${why}`, async ([, damage]) => {
  await (await create()).dispose();
  const kept = await readKept();
  await writeFile(verdictFile(), damage({ ...kept, verdict: { ...kept.verdict, withoutDisks: "Kept" } }));
  const driver = await create();
  expect(driver.info.missing).not.toContain("Kept");
  await driver.dispose();
  expect(await readKept()).toEqual(kept);
});

// The reason stands in the name.
test.skipIf(withoutCrun !== null)(
  `a first container that can't be started drops what is kept, and says what to do; the next driver tries anew${why}`,
  async () => {
    await (await create()).dispose();
    const broken = await create({ nodePath: join(folder(), "no-node") });
    await expect(broken.start(spec("ct_kept_2"), { output() {}, mainExited() {} })).rejects.toMatchObject({
      code: "start_failed",
      message: expect.stringMatching(/start the server again, and it tries anew what this machine can$/) as string,
    });
    await expect(readKept()).rejects.toMatchObject({ code: "ENOENT" });
    await broken.dispose();
    await runOne(await create(), "ct_kept_3");
    expect((await readKept()).verdict.runtime).toBe("crun");
  },
);

// The reason stands in the name.
test.skipIf(withoutCrun !== null)(`once a container has started, one that can't be started drops nothing${why}`, async () => {
  await (await create()).dispose();
  const driver = await create();
  await runOne(driver, "ct_kept_4");
  const missing = { ...spec("ct_kept_5"), code: { ...spec("ct_kept_5").code, codeId: "none", sourceDir: join(folder(), "none") } };
  await expect(driver.start(missing, { output() {}, mainExited() {} })).rejects.toThrow();
  expect((await readKept()).verdict.runtime).toBe("crun");
});
