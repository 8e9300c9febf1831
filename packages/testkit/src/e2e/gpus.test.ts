import { join } from "node:path";
import { expect, test } from "vitest";
import { TestHome } from "./test-home.fixture.ts";

const APP = `
import { fn } from "samovar";
export const pair = fn({ gpu: ["H100:2", "a100:2"] }, () => process.env.CUDA_VISIBLE_DEVICES);
export const none = fn({}, () => process.env.CUDA_VISIBLE_DEVICES);
export const four = fn({ gpu: "any", gpuCount: 4 }, () => process.env.CUDA_VISIBLE_DEVICES);
`;

const CDI = {
  cdiVersion: "0.6.0",
  kind: "nvidia.com/gpu",
  devices: [0, 1, 2].map((index) => ({ name: String(index), containerEdits: { deviceNodes: [{ path: `/dev/nvidia${index}`, hostPath: "/dev/null" }] } })),
};
const GPUS = [
  { name: "T4", memoryMib: 16_384 },
  { name: "A100-80GB", memoryMib: 81_920 },
  { name: "A100-80GB", memoryMib: 81_920 },
];

test("a function has the GPUs that it asks for, and is told when there can't be as many", async ({ onTestFinished }) => {
  const home = await TestHome.create({ "app.ts": APP, "cdi/nvidia.json": JSON.stringify(CDI) });
  onTestFinished(() => home.dispose());
  const project = join(home.folder, "project");
  home.write("gpus.json", JSON.stringify({ gpus: GPUS, cdiDirs: [join(project, "cdi")] }));
  await home.ok(["up", "-d", "--port", "0"], { SAMOVAR_GPUS: join(project, "gpus.json") });
  expect(await home.ok(["run", "app.ts:pair"])).toBe('"GPU-made-up-1,GPU-made-up-2"\n');
  expect(await home.ok(["run", "app.ts:none"])).toBe('""\n');
  const four = home.cli(["run", "app.ts:four"]);
  expect((await four.exited).code).not.toBe(0);
  expect(four.err()).toMatch(/no_capacity.*four.* can never run on this host: it needs 4 GPUs, this host has 1 T4, 2 A100-80GB/);
  const server = await home.call("/api/v1/server", undefined, { method: "GET" });
  expect(server.json.driver).toMatchObject({ capabilities: { gpu: true }, gpus: [{ name: "T4" }, { name: "A100-80GB" }, { id: "GPU-made-up-2" }] });
  await home.endServer();
});
