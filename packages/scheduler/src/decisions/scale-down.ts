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

/** Containers idle for the whole window are stopped, longest idle first, never below the floor. */
export function decideScaleDown(snapshot: ScaleDownSnapshot): ScaleDownDecision {
  const spare = snapshot.active - snapshot.keep;
  if (snapshot.windowMs === null || spare <= 0) return { stop: [], wakeAtMs: null };
  const byIdle = [...snapshot.idle].sort((a, b) => a.idleSinceMs - b.idleSinceMs).slice(0, spare);
  const due = byIdle.filter((c) => c.idleSinceMs + snapshot.windowMs! <= snapshot.nowMs);
  const next = byIdle[due.length];
  return { stop: due.map((c) => c.id), wakeAtMs: next ? next.idleSinceMs + snapshot.windowMs : null };
}
