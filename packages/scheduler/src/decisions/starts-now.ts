export interface StartSnapshot {
  readonly desired: number;
  readonly minContainers: number;
  readonly starting: number;
  readonly ready: number;
  readonly queued: number;
  /** How long the first of them waits. */
  readonly waitedMs: number;
  readonly running: number;
  /** Demand that one container should answer for. */
  readonly tasksPerContainer: number;
  /** Extra ones, where the pool is active. */
  readonly bufferContainers: number;
  /** Inputs that one container holds at once. */
  readonly slotsPerContainer: number;
  /** Each container takes one input and ends: none drains a queue. */
  readonly singleUse: boolean;
  /** Measured means; null while nothing was measured. */
  readonly meanDurationMs: number | null;
  readonly meanStartMs: number | null;
}

/**
 * How many containers to start now. What is missing of the floor and of the buffer, always. Beyond it a burst of short
 * inputs must not start a storm: a pool never measured starts at most 2, then 4, then 8 … at a time; one that was measured
 * starts what is useful.
 */
export function startsNow(snapshot: StartSnapshot): number {
  const { desired, starting, ready, running, tasksPerContainer, meanDurationMs, meanStartMs } = snapshot;
  const have = starting + ready;
  const missing = desired - have;
  if (missing <= 0) return 0;
  const forFloor = Math.min(missing, snapshot.minContainers - have);
  if (meanDurationMs === null || meanStartMs === null) return Math.max(forFloor, Math.min(missing, Math.max(2, ready * 2) - starting), 0);
  if (snapshot.singleUse) return missing;
  const occupied = Math.ceil(running / tasksPerContainer);
  const forBuffer = Math.min(occupied, have) + snapshot.bufferContainers - have;
  // There are slots, but more inputs run in them than scaling aims at: short ones are gone before a storm could help them.
  const forTarget = meanDurationMs > meanStartMs ? occupied - have : Math.min(occupied - have, starting === 0 ? 1 : 0);
  return Math.max(forFloor, Math.min(missing, Math.max(forBuffer, forTarget, forQueue(snapshot, meanDurationMs, meanStartMs))));
}

/**
 * None where the queue will be drained before another container could be ready. Else as many as the inputs that will
 * still wait then can fill, but no more than it takes to be done with those within another start: further ones would
 * start to find nothing left. One at least, so that a queue that stays gets one more container with each start time. Where
 * an input has waited much longer than it should have by this, the ramp of a pool never measured holds.
 */
function forQueue({ queued, waitedMs, ready, starting, slotsPerContainer }: StartSnapshot, meanDurationMs: number, meanStartMs: number): number {
  if (queued === 0) return 0;
  // What was measured is no guide to what runs now.
  if (waitedMs >= lateAfterMs(meanDurationMs, meanStartMs)) return Math.min(queued, Math.max(2, ready * 2) - starting);
  const startMs = Math.max(1, meanStartMs);
  // What is starting is half-way there, on average.
  const drained = ((ready + starting / 2) * slotsPerContainer * startMs) / Math.max(0.001, meanDurationMs);
  const left = queued - drained;
  if (left <= 0) return 0;
  const toFill = Math.ceil(left / slotsPerContainer);
  const toFinish = Math.ceil((left * meanDurationMs) / (startMs * slotsPerContainer)) - ready - starting;
  return Math.max(starting === 0 ? 1 : 0, Math.min(toFill, toFinish));
}

/** A queue that was to be drained before another container could be ready, and was not after this time, will not be. */
export function lateAfterMs(meanDurationMs: number, meanStartMs: number): number {
  return 2 * Math.max(1, meanDurationMs + meanStartMs);
}
