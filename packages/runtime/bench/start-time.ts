/**
 * How much later a container's first line comes than that of a bare `spawn(node, [file])`, run in turn.
 *
 *   npx node --conditions=samovar-source packages/runtime/bench/start-time.ts [runs] [process|process-without-cgroups|crun|runc] [pause in ms]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLogger, systemClock } from "@samovar/kit";
import { createOciDriver, createProcessDriver, type ContainerSpec } from "@samovar/runtime";

const runs = Number(process.argv[2] ?? 40);
const kind = process.argv[3] ?? "process";
/** Starts one right after another hide what the kernel has to do after a pause. */
const pauseMs = Number(process.argv[4] ?? 50);
const folder = await mkdtemp(join(tmpdir(), "samovar-bench-"));
const runnerFile = join(folder, "runner.mjs");
await mkdir(join(folder, "code"));
await writeFile(join(folder, "code", "app.mjs"), "export {};\n");
await writeFile(runnerFile, `process.stdout.write("up\\n"); setInterval(() => {}, 1e6);\n`);
await mkdir(join(folder, "server"));
await writeFile(join(folder, "server/s"), "");
const options = { home: join(folder, "containers"), nodePath: process.execPath, runnerFile, clock: systemClock, logger: silentLogger };
const driver =
  kind === "crun" || kind === "runc"
    ? await createOciDriver({ ...options, runtimes: [kind] })
    : await createProcessDriver({ ...options, cgroups: kind === "process" ? "auto" : "off" });

const bare: number[] = [];
const container: number[] = [];
const returned: number[] = [];
for (let i = -3; i < runs; i++) {
  const [bareMs, [containerMs, returnedMs]] =
    i % 2 ? [await runBare(), await runContainer(i)] : await runContainer(i).then(async (measured) => [await runBare(), measured] as const);
  // The first ones warm the page cache and our own code.
  if (i < 0) continue;
  bare.push(bareMs);
  container.push(containerMs);
  returned.push(returnedMs);
}
await driver.dispose();
await rm(folder, { recursive: true });
console.log(`bare spawn to first line       ${show(bare)}`);
console.log(`driver.start to first line     ${show(container)}`);
console.log(`driver.start until it resolves ${show(returned)}`);
console.log(
  `ratio of the medians ${(quantile(container, 0.5) / quantile(bare, 0.5)).toFixed(2)}; median of the differences ${quantile(
    container.map((ms, i) => ms - bare[i]!),
    0.5,
  ).toFixed(1)} ms`,
);

async function runBare(): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [runnerFile], { stdio: ["ignore", "pipe", "ignore"], detached: true, env: { PATH: process.env["PATH"] }, cwd: folder });
  await once(child.stdout, "data");
  const ms = performance.now() - startedMs;
  child.kill("SIGKILL");
  await once(child, "close");
  return ms;
}

async function runContainer(i: number): Promise<[firstLineMs: number, returnedMs: number]> {
  const spec: ContainerSpec = {
    containerId: `ct_${i + 3}`,
    functionName: "bench",
    serverAddress: join(folder, "server/s"),
    token: "token",
    code: { codeId: "code", sourceDir: join(folder, "code"), entry: "app.mjs", nodeModules: [] },
    env: {},
    serverUrl: "http://127.0.0.1:8700",
    network: { mode: "host", allow: [] },
    gpus: [],
    limits: { cpuMillis: 1_000, memoryMib: 512, maxProcesses: 128, diskMib: 1_024, workers: 1 },
  };
  const { promise: firstLine, resolve } = Promise.withResolvers<void>();
  const startedMs = performance.now();
  const running = await driver.start(spec, { output: () => resolve(), mainExited() {} });
  const returnedMs = performance.now() - startedMs;
  await firstLine;
  const firstLineMs = performance.now() - startedMs;
  await running.kill();
  await sleep(pauseMs);
  return [firstLineMs, returnedMs];
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))]!;
}

function show(values: readonly number[]): string {
  return `p50 ${quantile(values, 0.5).toFixed(1)} ms, p10 ${quantile(values, 0.1).toFixed(1)}, p90 ${quantile(values, 0.9).toFixed(1)}`;
}
