import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, silentLogger } from "@samovar/kit";
import { SamovarError, type DriverInfo } from "@samovar/protocol";
import { createDriver, Gpus, probeNetwork, type DriverKind } from "@samovar/runtime";
import { missing, ok, problem, toMissing, type Finding } from "./finding.ts";

/** What the driver that a server has, or would have, can do. */
export function judgeDriver(info: DriverInfo, of: string): readonly Finding[] {
  const { capabilities } = info;
  const able = [
    `isolation: ${capabilities.isolation}`,
    `memory ${capabilities.memoryLimit}`,
    `cpu ${capabilities.cpuLimit === "enforced" ? "enforced" : "not limited"}`,
    `disk ${capabilities.diskLimit === "enforced" ? "enforced" : "not limited"}`,
    `networks ${capabilities.networkModes.join(", ")}`,
    ...(capabilities.userNamespace ? ["user namespace"] : []),
  ];
  return [ok("Driver", `${info.name} ${of}; ${able.join("; ")}`), ...info.missing.map((sentence) => toMissing("Driver", sentence))];
}

const KINDS: readonly string[] = ["auto", "oci", "process"] satisfies DriverKind[];

/** Makes a driver as a server would, in a folder that is gone afterwards. */
export async function checkDriver(kind: string): Promise<readonly Finding[]> {
  if (!KINDS.includes(kind))
    return [problem("Driver", `SAMOVAR_DRIVER names none: ${JSON.stringify(kind)}`, `Set it to one of ${KINDS.join(", ")}, or unset it`)];
  const home = await mkdtemp(join(tmpdir(), `samovar-doctor-${process.pid}-`));
  try {
    const gpus = await Gpus.open({ logger: silentLogger });
    const options = {
      home: join(home, "containers"),
      nodePath: process.execPath,
      runnerFile: join(home, "runner.mjs"),
      clock: systemClock,
      logger: silentLogger,
    };
    const driver = await createDriver({ kind: kind as DriverKind, gpus, ...options });
    try {
      return judgeDriver(driver.info, "would be chosen");
    } finally {
      await driver.dispose();
    }
  } catch (error) {
    const fix =
      error instanceof SamovarError && typeof error.fields["fix"] === "string" ? error.fields["fix"] : "Unset SAMOVAR_DRIVER, so that the best one is chosen";
    return [problem("Driver", `The driver ${kind} can't be had. ${(error as Error).message}`, fix)];
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export async function checkNetwork(): Promise<readonly Finding[]> {
  const { problem: reason, warnings } = await probeNetwork();
  return [
    reason === null ? ok("Isolated networks", "can be made") : toMissing("Isolated networks", reason),
    ...warnings.map((warning) => missing("Isolated networks", warning)),
  ];
}

export async function checkGpus(): Promise<readonly Finding[]> {
  const gpus = await Gpus.open({ logger: silentLogger });
  const names = gpus.devices.map((gpu) => `${gpu.name} (${gpu.memoryMib} MiB)`);
  return [ok("GPUs", names.length > 0 ? names.join(", ") : "none: nvidia-smi lists none"), ...gpus.missing.map((sentence) => toMissing("GPUs", sentence))];
}
