export interface CeilingCandidate {
  readonly state: string;
  readonly heldCount: number;
  readonly idleSinceMs: number;
}

/** Which active containers go when the ceiling was lowered: those that start first, then idle ones (longest idle first), then those that hold least. */
export function beyondCeiling<T extends CeilingCandidate>(active: readonly T[], ceiling: number): T[] {
  const rank = (c: T): number => (c.heldCount > 0 ? 1 + c.heldCount : c.state === "starting" ? 0 : 1);
  return [...active].sort((a, b) => rank(a) - rank(b) || a.idleSinceMs - b.idleSinceMs).slice(0, Math.max(0, active.length - ceiling));
}
