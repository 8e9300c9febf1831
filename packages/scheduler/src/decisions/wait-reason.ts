import type { Phase } from "@samovar/protocol";

export interface WaitSnapshot {
  readonly queued: number;
  readonly starting: number;
  readonly ready: number;
  /** Where the container that started first stands. */
  readonly startPosition: { readonly phase: Phase; readonly hook: string | null } | null;
  readonly ceiling: number;
  /** Whether the ceiling is the function's own, or what the host can hold. */
  readonly ceilingIsSet: boolean;
  /** Why the host has no room for another one; null where none is waited for. */
  readonly room: string | null;
}

/** What the inputs of a pool wait for, or its floor, in words; null when nothing waits. */
export function waitReason(snapshot: WaitSnapshot): string | null {
  const { queued, starting, ready, startPosition, ceiling, ceilingIsSet, room } = snapshot;
  if (room !== null) return room;
  if (ready === 0 && starting > 0) {
    const hook = startPosition?.hook ? `, hook ${startPosition.hook}` : "";
    return `waiting for the first container to start (phase ${startPosition?.phase ?? "create"}${hook})`;
  }
  if (queued === 0) return null;
  const active = starting + ready;
  if (active >= ceiling) {
    const limit = ceilingIsSet ? `maxContainers is ${ceiling}` : `this host can hold ${ceiling} of its containers`;
    if (starting > 0) return `${limit}: ${ready} ${be(ready)} busy and ${starting} ${be(starting)} starting`;
    return `${limit} and ${ready === 1 ? "it is" : ready === 2 ? "both are" : "all are"} busy`;
  }
  const taken = ready === 0 ? "no container is there" : ready === 1 ? "all slots of its container are taken" : `all slots of its ${ready} containers are taken`;
  if (starting > 0) return `${taken}, ${starting} more ${be(starting)} starting`;
  return ready === 0 ? taken : `${taken}, and will be free before another container could be ready`;
}

const be = (count: number): string => (count === 1 ? "is" : "are");
