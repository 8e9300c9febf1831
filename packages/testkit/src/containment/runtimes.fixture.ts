import { join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { createDriver, type DriverKind } from "@samovar/runtime";
import { mkdir, writeFile } from "node:fs/promises";

/** Makes a driver and starts one container, in a process whose machine has the runtimes that the test put there. Tells it as JSON. */
const [kind, folder] = process.argv.slice(2) as [DriverKind, string];

const told: Record<string, unknown> = {};
try {
  const code = join(folder, "code");
  const runnerFile = join(folder, "runner.mjs");
  await mkdir(code, { recursive: true });
  await writeFile(join(code, "index.mjs"), "");
  await writeFile(runnerFile, "process.exit(5);\n");
  const driver = await createDriver({
    kind,
    home: join(folder, "containers"),
    nodePath: process.execPath,
    runnerFile,
    clock: systemClock,
    logger: silentLogger,
    runtimes: ["runc"],
  });
  try {
    Object.assign(told, { driver: driver.info.name, missing: driver.info.missing });
    const exit = Promise.withResolvers<unknown>();
    if (process.argv[4]) await writeFile(process.argv[4], "");
    const container = await driver.start(
      {
        containerId: `ct_runtimes_${process.pid}`,
        functionName: "probe",
        serverAddress: "http://127.0.0.1:1",
        token: "token",
        code: { codeId: "code", sourceDir: code, entry: "index.mjs", nodeModules: [] },
        env: {},
        serverUrl: "http://127.0.0.1:1",
        limits: { cpuMillis: 1_000, memoryMib: 128, maxProcesses: 64, diskMib: 64, workers: 1 },
        network: { mode: "host", allow: [] },
        gpus: [],
      },
      { output: () => {}, mainExited: exit.resolve },
    );
    told["exit"] = await exit.promise;
    await container.kill();
  } finally {
    await driver.dispose();
  }
} catch (error) {
  if (!(error instanceof SamovarError)) throw error;
  Object.assign(told, { code: error.code, message: error.message });
}
console.log(JSON.stringify(told));
