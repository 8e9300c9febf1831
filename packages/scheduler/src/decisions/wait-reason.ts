import type { Phase } from "@samovar/protocol";

export interface WaitSnapshot {
  readonly queued: number;
  /** With those that come back to a restarted server. */
  readonly starting: number;
  readonly returning: number;
  readonly ready: number;
  /** Where the container that started first stands. */
  readonly startPosition: { readonly phase: Phase; readonly hook: string | null } | null;
  /** The function's own; null where it is what the host can hold. */
  readonly maxContainers: number | null;
  /** Why the host has no room for another one; null where it has, or none is wanted. */
  readonly room: string | null;
}

/** What the inputs of a pool wait for, or its floor, in words; null when nothing waits. */
export function waitReason(snapshot: WaitSnapshot): string | null {
  const { queued, starting, returning, ready, startPosition, maxContainers, room } = snapshot;
  if (ready === 0 && returning > 0) return "waiting for the containers of before the server's restart to come back";
  if (ready === 0 && starting > 0) {
    return `waiting for the first container to start (${describePosition(startPosition ?? { phase: "create", hook: null })})`;
  }
  if (room !== null) return room;
  if (queued === 0) return null;
  if (maxContainers !== null && starting + ready >= maxContainers) {
    const limit = `maxContainers is ${maxContainers}`;
    if (starting > 0) return `${limit}: ${ready} ${be(ready)} busy and ${starting} ${be(starting)} starting`;
    return `${limit} and ${ready === 1 ? "it is" : ready === 2 ? "both are" : "all are"} busy`;
  }
  const taken = ready === 0 ? "no container is there" : ready === 1 ? "all slots of its container are taken" : `all slots of its ${ready} containers are taken`;
  if (starting > 0) return `${taken}, ${starting} more ${be(starting)} starting`;
  return ready === 0 ? taken : `${taken}, and will be free before another container could be ready`;
}

/** Where a start stands. */
export function describePosition({ phase, hook }: { readonly phase: Phase; readonly hook: string | null }): string {
  return hook === null ? `phase ${phase}` : `phase ${phase}, hook ${hook}`;
}

const be = (count: number): string => (count === 1 ? "is" : "are");
