export interface IdleContainer {
  readonly id: string;
  readonly idleSinceMs: number;
}

export interface ScaleDownSnapshot {
  readonly nowMs: number;
  /** Ready containers that hold nothing. */
  readonly idle: readonly IdleContainer[];
  /** Containers that count: starting and ready, idle or not. */
  readonly active: number;
  /** The floor at this moment: what must stay. */
  readonly keep: number;
  /** Null: never. */
  readonly windowMs: number | null;
}

export interface ScaleDownDecision {
  /** Longest idle first. */
  readonly stop: readonly string[];
  /** When the next one may fall due; null when none will by itself. */
  readonly wakeAtMs: number | null;
}

/** The part of the window after which an idle container goes while its pool has far more than it needs. */
export const EARLY_SHARE = 1 / 4;

/**
 * Containers idle for the whole window are stopped, longest idle first, never below the floor. While at least two, and at
 * least half of all, are more than is needed, a quarter of the window is enough.
 */
export function decideScaleDown({ nowMs, idle, active, keep, windowMs }: ScaleDownSnapshot): ScaleDownDecision {
  const stop: string[] = [];
  if (windowMs === null) return { stop, wakeAtMs: null };
  for (const container of idle.toSorted((a, b) => a.idleSinceMs - b.idleSinceMs)) {
    const left = active - stop.length;
    const surplus = left - keep;
    if (surplus <= 0) break;
    const isFarOver = surplus >= 2 && surplus * 2 >= left;
    const dueAtMs = container.idleSinceMs + (isFarOver ? windowMs * EARLY_SHARE : windowMs);
    if (dueAtMs > nowMs) return { stop, wakeAtMs: dueAtMs };
    stop.push(container.id);
  }
  return { stop, wakeAtMs: null };
}
