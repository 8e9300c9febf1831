import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { createOciDriver, createProcessDriver, Gpus, type ContainerEvents, type ContainerSpec, type RuntimeDriver } from "@samovar/runtime";
import { afterEach, expect, test } from "vitest";
import { needDebianPackage } from "./debian-packages.ts";
import { writeProbe } from "./driver-probe.ts";
import { failOnLeaks } from "./leak-check.ts";
import { ProbeServer } from "./probe-server.ts";

const folder = failOnLeaks({ empty: ["containers"] });
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

const EVENTS: ContainerEvents = { output() {}, mainExited() {} };
const [FIRST, SECOND] = ["GPU-made-up-0", "GPU-made-up-1"] as const;

/** A made-up inventory of two, and a CDI file in which devices that every machine has stand in for them. */
async function openGpus(): Promise<Gpus> {
  const device = (index: number, hostPath: string): object => ({
    name: String(index),
    containerEdits: { env: [`GPU_${index}=passed`], deviceNodes: [{ path: `/dev/nvidia${index}`, hostPath }] },
  });
  const cdi = {
    cdiVersion: "0.6.0",
    kind: "nvidia.com/gpu",
    containerEdits: {
      mounts: [{ hostPath: join(folder(), "libcuda.so"), containerPath: "/opt/gpu/libcuda.so", options: ["ro", "nosuid", "nodev", "bind"] }],
      hooks: [{ hookName: "createRuntime", path: "/usr/bin/touch", args: ["touch", join(folder(), "hook-ran")] }],
    },
    devices: [device(0, "/dev/null"), device(1, "/dev/null")],
  };
  mkdirSync(join(folder(), "cdi"));
  writeFileSync(join(folder(), "libcuda.so"), "cuda");
  writeFileSync(join(folder(), "cdi/nvidia.json"), JSON.stringify(cdi));
  return Gpus.open({ logger: silentLogger, madeUp: "T4:16384,T4:16384", cdiDirs: [join(folder(), "cdi")] });
}

/** What a container with these GPUs sees of them. */
async function look(driver: RuntimeDriver, probes: ProbeServer, containerId: string, gpus: readonly string[]) {
  const spec: ContainerSpec = {
    containerId,
    functionName: "probe",
    serverAddress: join(folder(), "server/s"),
    token: `token of ${containerId}`,
    code: { codeId: "code", sourceDir: join(folder(), "code"), entry: "index.mjs", nodeModules: [] },
    env: { CUDA_VISIBLE_DEVICES: "0,1", MINE: "yes" },
    serverUrl: "http://127.0.0.1:8700",
    network: { mode: "host", allow: [] },
    gpus,
    limits: { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 1_024, workers: 1 },
  };
  const container = await driver.start(spec, EVENTS);
  const probe = await probes.probe(containerId);
  const { env } = (await probe.order("place")) as { env: Record<string, string> };
  const read = (path: string): Promise<unknown> => probe.order("read", path).catch((error: unknown) => /E[A-Z]+/.exec(String(error))?.[0]);
  const seen = { env, first: await read("/dev/nvidia0"), second: await read("/dev/nvidia1"), library: await read("/opt/gpu/libcuda.so") };
  await container.kill();
  return seen;
}

async function open(make: (home: string, runnerFile: string, gpus: Gpus) => Promise<RuntimeDriver>) {
  mkdirSync(join(folder(), "code"));
  writeFileSync(join(folder(), "code/index.mjs"), "");
  const probes = await ProbeServer.listen(join(folder(), "server/s"));
  closing.push(async () => probes.dispose());
  const driver = await make(join(folder(), "containers"), await writeProbe(folder()), await openGpus());
  closing.push(() => driver.dispose());
  return { driver, probes };
}

test("process: variables say which GPUs are a container's, above what the user set", async () => {
  const { driver, probes } = await open((home, runnerFile, gpus) =>
    createProcessDriver({ home, runnerFile, gpus, nodePath: process.execPath, clock: systemClock, logger: silentLogger }),
  );
  expect(driver.info).toMatchObject({ capabilities: { gpu: true }, gpus: [{ id: FIRST, name: "T4", memoryMib: 16_384 }, { id: SECOND }] });
  expect((await look(driver, probes, "ct_1", [SECOND])).env).toMatchObject({ CUDA_VISIBLE_DEVICES: SECOND, NVIDIA_VISIBLE_DEVICES: SECOND, MINE: "yes" });
  expect((await look(driver, probes, "ct_2", [])).env).toMatchObject({ CUDA_VISIBLE_DEVICES: "", NVIDIA_VISIBLE_DEVICES: "void" });
  await expect(look(driver, probes, "ct_3", ["GPU-other"])).rejects.toMatchObject({ code: "unsupported" });
});

for (const runtime of ["crun", "runc"] as const) {
  const missing = await needDebianPackage(runtime);
  // The runtime may not be installed here: `missing` is the reason.
  test.skipIf(missing !== null)(
    `oci, ${runtime}: a container has the devices and files of its GPUs, and no others${missing ? ` (${missing})` : ""}`,
    async () => {
      const { driver, probes } = await open((home, runnerFile, gpus) =>
        createOciDriver({ home, runnerFile, gpus, nodePath: process.execPath, clock: systemClock, logger: silentLogger, runtimes: [runtime] }),
      );
      expect(driver.info).toMatchObject({ capabilities: { gpu: true }, gpus: [{ id: FIRST }, { id: SECOND }] });
      expect(await look(driver, probes, "ct_1", [SECOND])).toEqual({
        env: expect.objectContaining({ CUDA_VISIBLE_DEVICES: SECOND, GPU_1: "passed" }),
        first: "ENOENT",
        second: "",
        library: "cuda",
      });
      expect(existsSync(join(folder(), "hook-ran"))).toBe(true);
      const none = await look(driver, probes, "ct_2", []);
      expect(none).toMatchObject({ first: "ENOENT", second: "ENOENT", library: "ENOENT" });
      expect(none.env).not.toHaveProperty("GPU_1");
      await expect(look(driver, probes, "ct_3", ["GPU-other"])).rejects.toMatchObject({ code: "unsupported" });
    },
  );
}
