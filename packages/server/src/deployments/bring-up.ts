import { SamovarError, type DeployEvent } from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import { DEFAULT_POOL, type FunctionRuntime } from "@samovar/scheduler";
import type { LiveVersion } from "./deployment.ts";
import { warmUpPlan } from "./decisions.ts";

export interface BringUpOptions {
  /** Whose calls it takes over; null for the first version. */
  readonly old: FunctionRuntime | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  emit(event: DeployEvent): void;
}

/** A start that takes longer says what it waits for; and what finds no room until then is not waited for. */
const PATIENCE_MS = 2_000;

/**
 * Brings up what a version must have before it takes over: rejects where its first container doesn't start. More than
 * the first, for what the old version is busy with, is brought up as far as the host has room.
 */
export async function bringUp({ runtime, record }: LiveVersion, options: BringUpOptions): Promise<void> {
  const { maxContainers } = record.manifest.options;
  const { requiresParameters } = record.manifest;
  const plan = warmUpPlan(options.old?.busy() ?? new Map(), { maxContainers, requiresParameters, defaultPool: DEFAULT_POOL });
  if (plan.size === 0) return;
  options.emit({ type: "progress", message: `first containers of ${record.name}` });
  const cancelTimer = options.clock.after(PATIENCE_MS, () => {
    const { reason } = runtime.info();
    if (reason !== null) options.emit({ type: "note", message: `${record.name} waits: ${reason}` });
  });
  try {
    // Arguments of the old version may not be the new one's: it is for their callers to be told.
    await Promise.all([...plan].map(([pool, count]) => bringUpPool(runtime, pool, count, pool === DEFAULT_POOL || plan.size === 1, options)));
  } finally {
    cancelTimer();
  }
}

async function bringUpPool(
  runtime: FunctionRuntime,
  pool: string,
  count: number,
  required: boolean,
  { old, clock, signal, emit }: BringUpOptions,
): Promise<void> {
  try {
    await runtime.warmUp(pool, 1, signal);
  } catch (error) {
    if (required) throw old && isNoCapacity(error) ? withAWayOut(error) : error;
    return emit({ type: "note", message: `${runtime.name} takes over without the containers for ${pool}: ${(error as Error).message}` });
  }
  if (count === 1) return;
  const fewer = new AbortController();
  const cancelTimer = clock.after(PATIENCE_MS, () => {
    if (runtime.isShortOfRoom(pool)) fewer.abort(new SamovarError("no_capacity", runtime.info().reason ?? "the host is full"));
  });
  try {
    await runtime.warmUp(pool, count, AbortSignal.any([signal, fewer.signal]));
  } catch (error) {
    if (!isNoCapacity(error)) throw error;
    emit({ type: "note", message: `${runtime.name} takes over with fewer containers than the old version has busy: ${error.message}` });
  } finally {
    cancelTimer();
  }
}

const isNoCapacity = (error: unknown): error is SamovarError => error instanceof SamovarError && error.code === "no_capacity";

/** The old version's floor and what it is busy with may be what fills the host. */
function withAWayOut(error: SamovarError): SamovarError {
  return new SamovarError(error.code, `${error.message}. --no-wait switches first, and the old version's containers make room`, {
    cause: error,
    fields: error.fields,
  });
}
