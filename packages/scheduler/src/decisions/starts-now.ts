export interface StartSnapshot {
  readonly desired: number;
  readonly minContainers: number;
  readonly starting: number;
  readonly ready: number;
  readonly queued: number;
  /** Inputs that one container holds at once. */
  readonly slotsPerContainer: number;
  /** Measured means; null while nothing was measured. */
  readonly meanDurationMs: number | null;
  readonly meanStartMs: number | null;
}

/**
 * How many containers to start now. Below the floor, always as many as are missing. Above it a burst of short inputs
 * must not start a storm: none is started if, from measured durations and start-up times, the queue will be drained
 * before it could be ready; and a pool never measured starts at most 2, then 4, then 8 … at a time.
 */
export function startsNow(snapshot: StartSnapshot): number {
  const have = snapshot.starting + snapshot.ready;
  const missing = snapshot.desired - have;
  if (missing <= 0) return 0;
  const forFloor = Math.max(0, Math.min(missing, snapshot.minContainers - have));
  if (have === 0) return Math.max(forFloor, Math.min(missing, snapshot.meanDurationMs === null ? 2 : missing));
  if (snapshot.meanDurationMs === null || snapshot.meanStartMs === null) {
    const atATime = Math.max(2, snapshot.ready * 2);
    return Math.max(forFloor, Math.min(missing, atATime - snapshot.starting), 0);
  }
  const drainMs = (snapshot.queued * snapshot.meanDurationMs) / (have * snapshot.slotsPerContainer);
  return drainMs <= snapshot.meanStartMs ? forFloor : missing;
}
