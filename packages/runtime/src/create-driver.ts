import { SamovarError } from "@samovar/protocol";
import type { RuntimeDriver } from "./driver.ts";
import { createOciDriver, type OciDriverOptions } from "./oci/oci-driver.ts";
import { createProcessDriver } from "./process-driver.ts";

/** `auto`: the best that this machine can do. */
export type DriverKind = "auto" | "oci" | "process";

export interface DriverOptions extends OciDriverOptions {
  readonly kind: DriverKind;
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
