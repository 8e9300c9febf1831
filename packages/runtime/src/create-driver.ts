import { SamovarError } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import type { RuntimeDriver } from "./driver.ts";
import type { Gpus } from "./gpu/gpus.ts";
import { createOciDriver } from "./oci/oci-driver.ts";
import type { RuntimeName } from "./oci/runtime-program.ts";
import { createProcessDriver } from "./process-driver.ts";

/** `auto`: the best that this machine can do. */
export type DriverKind = "auto" | "oci" | "process";

export interface DriverOptions {
  readonly kind: DriverKind;
  /** Where containers get their folders. Belongs to this driver alone: what it finds there is left from a dead server. */
  readonly home: string;
  /** The `node` that containers run. */
  readonly nodePath: string;
  /** The runner, one file. */
  readonly runnerFile: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Which OCI runtimes are tried, in this order. Default: all, the quickest first. */
  readonly runtimes?: readonly RuntimeName[];
  /** Where it is kept what the oci driver found out about this machine by trying. Absent: it tries each time. */
  readonly verdictFile?: string;
  /** Those of this machine. Absent: containers get none. */
  readonly gpus?: Gpus;
}

/**
 * The driver of this name. Rejects with `unsupported`, the reason and what helps, where `oci` was asked for and can't be
 * had; `auto` then takes the process driver, whose `info.missing` begins with that.
 */
export async function createDriver({ kind, ...options }: DriverOptions): Promise<RuntimeDriver> {
  if (kind === "process") return createProcessDriver(options);
  if (kind === "oci") return createOciDriver(options);
  try {
    return await createOciDriver(options);
  } catch (error) {
    if (!(error instanceof SamovarError) || error.code !== "unsupported") throw error;
    return createProcessDriver({ ...options, missing: [`Containers are not isolated. ${error.message}`] });
  }
}
