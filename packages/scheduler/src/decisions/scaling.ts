import { SamovarError, type FunctionOptions, type ScalingPatch } from "@samovar/protocol";

/** What a pool scales by: its function's options with the changes that were made to it since. */
export interface Scaling {
  readonly minContainers: number;
  /** Null: what the host can hold. */
  readonly maxContainers: number | null;
  readonly bufferContainers: number;
  /** Null: never. */
  readonly scaledownWindowMs: number | null;
  /** Demand that one container should answer for; never 0. */
  readonly tasksPerContainer: number;
}

/** Throws `invalid_option` for a floor above the ceiling. */
export function toScaling(options: FunctionOptions, patch: ScalingPatch): Scaling {
  const minContainers = patch.minContainers ?? options.minContainers;
  const maxContainers = patch.maxContainers !== undefined ? patch.maxContainers : options.maxContainers;
  if (maxContainers !== null && minContainers > maxContainers) {
    throw new SamovarError("invalid_option", `minContainers is ${minContainers} and maxContainers is ${maxContainers}: lower the floor, or raise the ceiling`, {
      fields: { minContainers, maxContainers },
    });
  }
  return {
    minContainers,
    maxContainers,
    bufferContainers: patch.bufferContainers ?? options.bufferContainers,
    scaledownWindowMs: patch.scaledownWindowMs !== undefined ? patch.scaledownWindowMs : options.scaledownWindowMs,
    tasksPerContainer: (patch.tasksPerContainer ?? options.tasksPerContainer) || options.workers * options.concurrencyTarget,
  };
}
