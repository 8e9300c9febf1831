import { join } from "node:path";
import { FakeClock } from "@samovar/kit";
import { expect, onTestFinished, test } from "vitest";
import { keepWarnings, writeFiles } from "./cdi.fixture.ts";
import { detectGpus, parseGpuList, type DetectedGpu } from "./detect-gpus.ts";
import { runProgram, type RunProgram } from "./run-program.ts";

/** Runs a script in the place of `nvidia-smi`, for real. */
function script(text: string): RunProgram {
  const { dir, remove } = writeFiles({ "nvidia-smi": `#!/bin/sh\n${text}` });
  onTestFinished(remove);
  return ([program, ...args], signal) => runProgram([join(dir, program), ...args], signal);
}

const LIST = `0, GPU-5d6d3f7a-0000-1111-2222-333344445555, NVIDIA A100-SXM4-80GB, 81920
1, GPU-5d6d3f7a-0000-1111-2222-333344446666, Tesla T4, 15360
`;
const GPUS: readonly DetectedGpu[] = [
  { index: 0, id: "GPU-5d6d3f7a-0000-1111-2222-333344445555", name: "A100-80GB", memoryMib: 81_920 },
  { index: 1, id: "GPU-5d6d3f7a-0000-1111-2222-333344446666", name: "T4", memoryMib: 15_360 },
];

test("what the driver's program lists is there, by the names that people use", async () => {
  const { logger, warnings } = keepWarnings();
  const run = script(`[ "$1 $2" = "--query-gpu=index,uuid,name,memory.total --format=csv,noheader,nounits" ] && cat <<END\n${LIST}END\n`);
  expect(await detectGpus({ logger, run })).toEqual(GPUS);
  expect(warnings).toEqual([]);
});

test("a machine without the program has none, and says nothing of it", async () => {
  const { logger, warnings } = keepWarnings();
  expect(await detectGpus({ logger, run: (_argv, signal) => runProgram(["/nowhere/nvidia-smi"], signal) })).toEqual([]);
  expect(warnings).toEqual([]);
});

test("a program that fails is told, and there are none", async () => {
  const { logger, warnings } = keepWarnings();
  const run = script(`echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."; exit 9`);
  expect(await detectGpus({ logger, run })).toEqual([]);
  expect(warnings).toEqual([
    {
      program: "nvidia-smi",
      reason: "it ended with 9: NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
      message: "This machine's GPUs can't be listed, so none are used",
    },
  ]);
});

test("a program that may not be started is told", async () => {
  const { logger, warnings } = keepWarnings();
  expect(await detectGpus({ logger, run: (_argv, signal) => runProgram(["/etc/passwd"], signal) })).toEqual([]);
  expect(warnings).toEqual([expect.objectContaining({ reason: expect.stringContaining("EACCES") })]);
});

test("a program that hangs is killed after two seconds and told", async () => {
  const { logger, warnings } = keepWarnings();
  const clock = new FakeClock();
  const ended = Promise.withResolvers<unknown>();
  const hang = script("exec sleep 600");
  const detecting = detectGpus({
    logger,
    clock,
    run: (argv, signal) => {
      const running = hang(argv, signal);
      ended.resolve(running);
      return running;
    },
  });
  clock.advance(1_999);
  expect(clock.pending).toBe(1);
  clock.advance(1);
  expect(await detecting).toEqual([]);
  expect(warnings).toEqual([expect.objectContaining({ reason: "it did not answer within 2 s" })]);
  expect(await ended.promise).toMatchObject({ exitCode: null });
  expect(clock.pending).toBe(0);
});

test("a program that can't even be killed holds nobody up", async () => {
  const { logger } = keepWarnings();
  const clock = new FakeClock();
  const detecting = detectGpus({ logger, clock, run: () => new Promise(() => {}) });
  clock.advance(2_000);
  expect(await detecting).toEqual([]);
});

test("lines that can't be read are told, and the others count", async () => {
  const { logger, warnings } = keepWarnings();
  const run = script(`echo "0, GPU-1, NVIDIA GB10, [N/A]"; echo "1, [Unknown Error], Tesla T4, 15360"`);
  expect(await detectGpus({ logger, run })).toEqual([{ index: 0, id: "GPU-1", name: "GB10", memoryMib: 0 }]);
  expect(warnings).toEqual([expect.objectContaining({ lines: ["1, [Unknown Error], Tesla T4, 15360"] })]);
});

test("an empty list is none", () => {
  expect(parseGpuList("\n")).toEqual({ gpus: [], unread: [] });
  expect(parseGpuList("No devices were found\n")).toEqual({ gpus: [], unread: ["No devices were found"] });
});
