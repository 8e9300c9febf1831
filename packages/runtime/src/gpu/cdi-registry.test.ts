import { chmodSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { CdiRegistry } from "./cdi-registry.ts";
import { keepWarnings, NVIDIA_CDI, writeFiles } from "./cdi.fixture.ts";
import { splitDeviceNumber } from "./device-node.ts";

async function read(files: Readonly<Record<string, string>>, dirs: readonly string[] = ["etc"]) {
  const { dir, remove } = writeFiles(files);
  onTestFinished(remove);
  const { logger, warnings } = keepWarnings();
  return { dir, warnings, registry: await CdiRegistry.read({ logger, dirs: dirs.map((name) => join(dir, name)) }) };
}

const spec = (devices: object, edits: object = {}, kind = "vendor.com/device"): string =>
  JSON.stringify({
    cdiVersion: "0.8.0",
    kind,
    containerEdits: edits,
    devices: Object.entries(devices).map(([name, containerEdits]) => ({ name, containerEdits: containerEdits as object })),
  });

test("YAML and JSON are read, other files are not, and folders that aren't there hold none", async () => {
  const { registry, warnings } = await read({ "etc/nvidia.yaml": NVIDIA_CDI, "etc/other.json": spec({ a: { env: ["A=1"] } }), "etc/README.md": "not one" }, [
    "etc",
    "run",
  ]);
  expect(registry.deviceNames).toEqual(["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=all", "vendor.com/device=a"]);
  expect(warnings).toEqual([]);
});

// Device numbers are Linux's.
test.skipIf(process.platform !== "linux")("a container gets what its devices need, what they share once, and nodes as this machine has them", async () => {
  const { registry } = await read({ "etc/nvidia.yaml": NVIDIA_CDI });
  expect(await registry.toContainerEdits(["nvidia.com/gpu=0", "nvidia.com/gpu=1", "nvidia.com/gpu=0"])).toEqual({
    env: ["NVIDIA_VISIBLE_DEVICES=void"],
    deviceNodes: [
      { path: "/dev/nvidiactl", hostPath: "/dev/null", type: "c", major: 1, minor: 3 },
      { path: "/dev/nvidia0", hostPath: "/dev/zero", permissions: "rw", type: "c", major: 1, minor: 5 },
      { path: "/dev/nvidia1", type: "c", major: 195, minor: 1, fileMode: 438, uid: 0, gid: 44 },
    ],
    mounts: [
      {
        hostPath: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54",
        containerPath: "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54",
        options: ["ro", "nosuid", "nodev", "bind"],
      },
    ],
    hooks: [
      {
        hookName: "createContainer",
        path: "/usr/bin/nvidia-cdi-hook",
        args: ["nvidia-cdi-hook", "update-ldcache", "--folder", "/usr/lib/x86_64-linux-gnu"],
      },
    ],
    additionalGids: [44],
  });
});

test("a device that no file has is refused with what there is, and how to get it", async () => {
  const { registry, dir } = await read({ "etc/nvidia.yaml": NVIDIA_CDI });
  await expect(registry.toContainerEdits(["nvidia.com/gpu=2"])).rejects.toMatchObject({
    code: "unsupported",
    message: `The CDI device nvidia.com/gpu=2 stands in no file of ${dir}/etc, which have nvidia.com/gpu=0, nvidia.com/gpu=1, nvidia.com/gpu=all. For NVIDIA's GPUs, \`nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml\` writes one`,
  });
  expect(registry.has("toString")).toBe(false);
});

test("the later folder's device stands in the place of the earlier one's; two in one folder are told", async () => {
  const { registry, dir } = await read(
    { "etc/a.json": spec({ x: { env: ["FROM=etc"] } }), "run/a.json": spec({ x: { env: ["FROM=run"] }, y: {} }), "run/b.json": spec({ y: {} }) },
    ["etc", "run"],
  );
  expect((await registry.toContainerEdits(["vendor.com/device=x"])).env).toEqual(["FROM=run"]);
  expect(registry.has("vendor.com/device=y")).toBe(false);
  await expect(registry.toContainerEdits(["vendor.com/device=y"])).rejects.toThrow(
    `The CDI device vendor.com/device=y stands in ${dir}/run/a.json and in ${dir}/run/b.json: remove one of them`,
  );
});

test.each([
  ["the variable MODE", { env: ["MODE=fast"] }, { env: ["MODE=slow"] }, "MODE=fast"],
  ["the device /dev/x", { deviceNodes: [{ path: "/dev/x", hostPath: "/dev/null" }] }, { deviceNodes: [{ path: "/dev/x" }] }, "/dev/null"],
  ["the path /lib/x", { mounts: [{ hostPath: "/a", containerPath: "/lib/x" }] }, { mounts: [{ hostPath: "/b", containerPath: "/lib/x" }] }, "/a"],
])("devices that contradict each other in %s are refused together", async (place, one, two, content) => {
  const { registry } = await read({ "etc/a.json": spec({ one, two }) });
  await expect(registry.toContainerEdits(["vendor.com/device=one", "vendor.com/device=two"])).rejects.toThrow(
    `vendor.com/device=one and vendor.com/device=two can't be in one container: for ${place} one wants ${content}, the other`,
  );
  const { registry: alike } = await read({ "etc/a.json": spec({ one, two: one }) });
  const edits = await alike.toContainerEdits(["vendor.com/device=one", "vendor.com/device=two"]).catch((error: unknown) => error);
  expect(edits).not.toBeInstanceOf(Error);
});

test("a device that isn't one, or isn't there, is told", async () => {
  const { registry } = await read({
    "etc/a.json": spec({ gone: { deviceNodes: [{ path: "/dev/no-such" }] }, file: { deviceNodes: [{ path: "/etc/passwd" }] } }),
  });
  await expect(registry.toContainerEdits(["vendor.com/device=gone"])).rejects.toThrow("A CDI file names the device /dev/no-such, which is not there");
  await expect(registry.toContainerEdits(["vendor.com/device=file"])).rejects.toThrow("/etc/passwd, which is no device");
});

test.each([
  ["not an object", "[]", "the file is not an object"],
  ["cut off", '{ "cdiVersion": "0.6.0", "kind', ""],
  ["another version", spec({ a: {} }).replace("0.8.0", "2.0.0"), 'its cdiVersion is "2.0.0"'],
  ["no kind", '{ "cdiVersion": "0.6.0", "devices": [] }', "kind is absent"],
  ["a kind without its vendor", spec({ a: {} }, {}, "gpu"), 'its kind is "gpu"'],
  ["no devices", spec({}), "it has no devices"],
  ["a device's name with spaces", spec({ "a b": {} }), 'devices[0].name is "a b"'],
  ["one name twice", spec({ a: {} }).replace('"devices":[', '"devices":[{"name":"a"},'), 'two devices named "a"'],
  ["a variable without a value", spec({ a: { env: ["A"] } }), 'env[0] is "A"'],
  ["a relative path", spec({ a: { mounts: [{ hostPath: "/a", containerPath: "b" }] } }), 'containerPath is "b"'],
  ["a path that leaves its root", spec({ a: { deviceNodes: [{ path: "/dev/../etc/x" }] } }), 'path is "/dev/../etc/x"'],
  ["a hook of no known time", spec({ a: { hooks: [{ hookName: "before", path: "/bin/true" }] } }), 'hookName is "before"'],
  ["what is not supported", spec({ a: { intelRdt: {} } }), "intelRdt, which is not supported"],
  ["an alias bomb", `a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [${"*b,".repeat(200)}]\n`, ""],
])("a file that is malformed (%s) is skipped with a warning that names it, and the others count", async (_what, text, reason) => {
  const { registry, warnings, dir } = await read({ "etc/bad.yaml": text, "etc/good.json": spec({ good: {} }) });
  expect(registry.deviceNames).toEqual(["vendor.com/device=good"]);
  expect(warnings).toEqual([{ file: join(dir, "etc/bad.yaml"), reason: expect.stringContaining(reason), message: "A CDI file is skipped" }]);
});

test("files that every user may write to are not believed, nor folders", async () => {
  const { dir, remove } = writeFiles({ "etc/open.json": spec({ a: {} }), "open/a.json": spec({ b: {} }), "etc/dead.json": "" });
  onTestFinished(remove);
  chmodSync(join(dir, "etc/open.json"), 0o666);
  chmodSync(join(dir, "open"), 0o777);
  symlinkSync("/nowhere", join(dir, "etc/link.json"));
  const { logger, warnings } = keepWarnings();
  const registry = await CdiRegistry.read({ logger, dirs: [join(dir, "etc"), join(dir, "open")] });
  expect(registry.deviceNames).toEqual([]);
  expect(warnings.map((warning) => ("reason" in warning ? warning.reason : ""))).toEqual([
    "the file is not an object",
    expect.stringContaining("ENOENT"),
    "every user may write to it",
    "every user may write to it",
  ]);
});

test("device numbers are split as the C library does", () => {
  expect(splitDeviceNumber(0x103)).toEqual({ major: 1, minor: 3 });
  expect(splitDeviceNumber(195 * 256 + 255)).toEqual({ major: 195, minor: 255 });
  // makedev(511, 1048575)
  expect(splitDeviceNumber(0xfff1ffff)).toEqual({ major: 511, minor: 1_048_575 });
});
