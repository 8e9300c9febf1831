import { SamovarError, type DeployEvent } from "@samovar/protocol";
import { DEFAULT_POOL, type FunctionRuntime } from "@samovar/scheduler";
import type { LiveVersion } from "./deployment.ts";
import { warmUpPlan } from "./decisions.ts";

/**
 * Brings up what a version must have before it takes over: rejects where its first container doesn't start. More than
 * the first, for what the old version is busy with, is brought up as far as the host has room.
 */
export async function bringUp(
  { runtime, record }: LiveVersion,
  old: FunctionRuntime | null,
  emit: (event: DeployEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const { options, requiresParameters } = record.manifest;
  const plan = warmUpPlan(old?.busy() ?? new Map(), { ...options, requiresParameters, defaultPool: DEFAULT_POOL });
  if (plan.size === 0) return;
  emit({ type: "progress", message: `first containers of ${record.name}` });
  await Promise.all(
    [...plan].map(async ([pool, count]) => {
      try {
        await runtime.warmUp(pool, count, signal);
      } catch (error) {
        // Arguments of the old version may not be the new one's: it is for their callers to be told.
        const isSpare = pool !== DEFAULT_POOL && plan.size > 1;
        const isFull = isNoCapacity(error) && runtime.ready(pool) > 0;
        if (!isSpare && !isFull) throw old && isNoCapacity(error) ? withAWayOut(error) : error;
        emit({ type: "note", message: `${record.name} takes over with fewer containers than the old version has busy: ${(error as Error).message}` });
      }
    }),
  );
}

const isNoCapacity = (error: unknown): error is SamovarError => error instanceof SamovarError && error.code === "no_capacity";

/** The old version's floor and what it is busy with may be what fills the host. */
function withAWayOut(error: SamovarError): SamovarError {
  return new SamovarError(error.code, `${error.message}. --no-wait switches first, and the old version's containers make room`, {
    cause: error,
    fields: error.fields,
  });
}
