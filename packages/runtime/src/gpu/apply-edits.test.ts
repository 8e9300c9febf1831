import { join } from "node:path";
import { silentLogger } from "@samovar/kit";
import { expect, onTestFinished, test } from "vitest";
import { applyEdits } from "./apply-edits.ts";
import { CdiRegistry } from "./cdi-registry.ts";
import { NO_EDITS } from "./cdi-spec.ts";
import { NVIDIA_CDI, writeFiles } from "./cdi.fixture.ts";

const CONFIG = {
  ociVersion: "1.0.2",
  process: { args: ["node"], env: ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all"], user: { uid: 0, gid: 0 } },
  mounts: [
    { destination: "/proc", type: "proc", source: "proc" },
    { destination: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54", type: "tmpfs", source: "tmpfs" },
  ],
  linux: { namespaces: [{ type: "pid" }], cgroupsPath: "/samovar/ct_1", resources: { devices: [{ allow: false, access: "rwm" }] } },
};

async function editsOf(...names: readonly string[]) {
  const { dir, remove } = writeFiles({ "cdi/nvidia.yaml": NVIDIA_CDI });
  onTestFinished(remove);
  const registry = await CdiRegistry.read({ logger: silentLogger, dirs: [join(dir, "cdi")] });
  return registry.toContainerEdits(names);
}

// Device numbers are Linux's.
test.skipIf(process.platform !== "linux")("a container's configuration with two GPUs of a CDI file", async () => {
  const before = structuredClone(CONFIG);
  expect(applyEdits(CONFIG, await editsOf("nvidia.com/gpu=0", "nvidia.com/gpu=1"))).toEqual({
    ociVersion: "1.0.2",
    process: {
      args: ["node"],
      env: ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=void"],
      user: { uid: 0, gid: 0, additionalGids: [44] },
    },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      // These have another path on this machine.
      { destination: "/dev/nvidiactl", type: "bind", source: "/dev/null", options: ["bind", "nosuid", "noexec", "rw"] },
      { destination: "/dev/nvidia0", type: "bind", source: "/dev/zero", options: ["bind", "nosuid", "noexec", "rw"] },
      {
        destination: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54",
        type: "bind",
        source: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54",
        options: ["ro", "nosuid", "nodev", "bind"],
      },
    ],
    linux: {
      namespaces: [{ type: "pid" }],
      cgroupsPath: "/samovar/ct_1",
      devices: [{ path: "/dev/nvidia1", type: "c", major: 195, minor: 1, fileMode: 438, uid: 0, gid: 44 }],
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 5, access: "rw" },
          { allow: true, type: "c", major: 195, minor: 1, access: "rwm" },
        ],
      },
    },
    hooks: {
      createContainer: [{ path: "/usr/bin/nvidia-cdi-hook", args: ["nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib/x86_64-linux-gnu"] }],
    },
  });
  expect(CONFIG).toEqual(before);
});

test("no edits change nothing, not even the keys that are there", () => {
  expect(applyEdits(CONFIG, NO_EDITS)).toEqual(CONFIG);
  expect(applyEdits({}, NO_EDITS)).toEqual({});
});

test("where the runtime keeps no control groups there are no rules of them", async () => {
  const { linux } = applyEdits({ linux: { namespaces: [] } }, await editsOf("nvidia.com/gpu=1"));
  expect(linux).toEqual({ namespaces: [], devices: expect.any(Array) });
});

test("outer mounts come first, and what is no bind stays what it is", () => {
  const { mounts } = applyEdits(
    { mounts: [{ destination: "/dev" }] },
    {
      ...NO_EDITS,
      mounts: [
        { hostPath: "/a", containerPath: "/opt/gpu/lib" },
        { hostPath: "tmpfs", containerPath: "/opt/gpu", type: "tmpfs", options: ["nosuid"] },
      ],
    },
  );
  expect(mounts).toEqual([
    { destination: "/dev" },
    { destination: "/opt/gpu", source: "tmpfs", type: "tmpfs", options: ["nosuid"] },
    { destination: "/opt/gpu/lib", source: "/a", type: "bind", options: ["bind"] },
  ]);
});

test("hooks come after those that are there", () => {
  const { hooks } = applyEdits(
    { hooks: { poststop: [{ path: "/own" }] } },
    { ...NO_EDITS, hooks: [{ hookName: "poststop", path: "/theirs", env: ["A=1"], timeout: 5 }] },
  );
  expect(hooks).toEqual({ poststop: [{ path: "/own" }, { path: "/theirs", env: ["A=1"], timeout: 5 }] });
});
