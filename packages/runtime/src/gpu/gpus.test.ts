import { join } from "node:path";
import { silentLogger } from "@samovar/kit";
import { expect, onTestFinished, test } from "vitest";
import { NVIDIA_CDI, writeFiles } from "./cdi.fixture.ts";
import { Gpus } from "./gpus.ts";

function folder(files: Readonly<Record<string, string>>): string {
  const { dir, remove } = writeFiles(files);
  onTestFinished(remove);
  return dir;
}

const [FIRST, SECOND, THIRD] = ["GPU-made-up-0", "GPU-made-up-1", "GPU-made-up-2"] as const;

test("an inventory with a CDI file: containers get what they are given, and can be passed it", async () => {
  const dir = folder({ "nvidia.yaml": NVIDIA_CDI });
  const gpus = await Gpus.open({ logger: silentLogger, madeUp: "T4:16384,T4:16384", cdiDirs: [dir] });
  expect(gpus.devices).toEqual([
    { id: FIRST, name: "T4", memoryMib: 16_384 },
    { id: SECOND, name: "T4", memoryMib: 16_384 },
  ]);
  expect(gpus.passableDevices).toEqual(gpus.devices);
  expect(gpus.missing).toEqual([]);
  expect(gpus.environment([SECOND])).toEqual({ CUDA_VISIBLE_DEVICES: SECOND, NVIDIA_VISIBLE_DEVICES: SECOND });
  expect((await gpus.toContainerEdits([SECOND])).deviceNodes.map(({ path }) => path)).toEqual(["/dev/nvidiactl", "/dev/nvidia1"]);
  expect(await gpus.toContainerEdits([])).toMatchObject({ deviceNodes: [], mounts: [] });
});

test("a container without GPUs sees none of those that others have", async () => {
  const gpus = await Gpus.open({ logger: silentLogger, madeUp: "T4:16384", cdiDirs: [] });
  expect(gpus.environment([])).toEqual({ CUDA_VISIBLE_DEVICES: "", NVIDIA_VISIBLE_DEVICES: "void" });
});

test("GPUs that no CDI file names can't be passed, and it is said how to mend that", async () => {
  const dir = folder({ "nvidia.yaml": NVIDIA_CDI });
  const gpus = await Gpus.open({ logger: silentLogger, madeUp: "T4:1,T4:1,L4:1", cdiDirs: [dir] });
  expect(gpus.passableDevices.map(({ id }) => id)).toEqual([FIRST, SECOND]);
  expect(gpus.missing).toEqual([
    "No CDI file names L4 (2), so no container gets it: run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml` and start the server again",
  ]);
  await expect(gpus.toContainerEdits([THIRD])).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("nvidia.com/gpu=2") });
  await expect(gpus.toContainerEdits(["GPU-other"])).rejects.toThrow("This machine has no GPU with the id GPU-other");
});

test("a CDI file that goes by UUIDs counts more than one that goes by indexes", async () => {
  const byId = `{ "cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [{ "name": "${FIRST}", "containerEdits": { "env": ["BY=uuid"] } }, { "name": "0", "containerEdits": { "env": ["BY=index"] } }] }`;
  const gpus = await Gpus.open({ logger: silentLogger, madeUp: "T4:1", cdiDirs: [folder({ "a.json": byId })] });
  expect((await gpus.toContainerEdits([FIRST])).env).toEqual(["BY=uuid"]);
});

test("an inventory's file may say where its CDI files are", async () => {
  const dir = folder({ "cdi/nvidia.yaml": NVIDIA_CDI });
  const file = join(folder({ "gpus.json": JSON.stringify({ gpus: [{ name: "T4" }], cdiDirs: [join(dir, "cdi")] }) }), "gpus.json");
  expect((await Gpus.open({ logger: silentLogger, madeUp: file })).passableDevices).toHaveLength(1);
});

test("a machine without GPUs has nothing to say and nothing to set", async () => {
  const gpus = await Gpus.open({ logger: silentLogger, run: () => Promise.reject(Object.assign(new Error("none"), { code: "ENOENT" })) });
  expect([gpus.devices, gpus.passableDevices, gpus.missing, gpus.environment([])]).toEqual([[], [], [], {}]);
  expect((await Gpus.open({ logger: silentLogger, madeUp: "none" })).devices).toEqual([]);
  expect(() => gpus.environment([FIRST])).toThrow("This machine has no GPU with the id GPU-made-up-0. It has none");
});
