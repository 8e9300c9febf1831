import { fits, pickGpus, usableGpus, withRoomOf, without, type Room, type RoomNeed } from "./room.ts";

/** Somebody who waits for room. The line is in the order in which they are served. */
export interface RoomWaiter {
  readonly owner: unknown;
  readonly need: RoomNeed;
  /** How many containers it waits for. */
  readonly wanted: number;
  /** It waited for so long that room is gathered for it bit by bit, and nobody passes it any more. */
  readonly isPatient: boolean;
  /** What floors keep, its own too, leaves no room for another one of it, however long it waits: nothing is set aside for it. */
  readonly isBlocked: boolean;
}

/** An idle container above its pool's floor. */
export interface RoomOffer {
  readonly owner: unknown;
  readonly idleSinceMs: number;
  readonly room: Room;
}

/** Free room, and with it what is coming since containers are on their way out. */
export interface RoomAhead {
  readonly free: Room;
  readonly coming: Room;
}

/**
 * What is open to those behind this waiter. Room that is there for it, or comes, is its own; so is all that it needs once
 * it was passed over for long: nobody passes it then on what it needs.
 */
export function behind({ free, coming }: RoomAhead, waiter: RoomWaiter): RoomAhead {
  if (waiter.isBlocked || !(waiter.isPatient || fits(waiter.need, coming))) return { free, coming };
  return { free: without(free, waiter.need), coming: without(coming, waiter.need) };
}

/**
 * Which idle containers give way so that those who wait get room: the longest idle first, whosever they are, and none
 * that would not help. `coming` is the room that is free, or will be since its container is told to go.
 *
 * The line is gone through in rounds, one container each. Where even all offers are not enough none is taken, but for
 * a patient waiter, who would else never see enough of them idle at the same moment.
 */
export function givingWay<T extends RoomOffer>(coming: Room, line: readonly RoomWaiter[], offers: readonly T[]): readonly T[] {
  const byIdle = [...offers].sort((a, b) => a.idleSinceMs - b.idleSinceMs);
  const taken = new Set<T>();
  const short = new Set<RoomWaiter>();
  let left = coming;
  for (let round = 1; line.some((waiter) => waiter.wanted >= round && !short.has(waiter)); round++) {
    for (const waiter of line) {
      if (waiter.wanted < round || short.has(waiter)) continue;
      const { need } = waiter;
      if (!fits(need, left)) {
        const open = byIdle.filter((offer) => !taken.has(offer) && offer.owner !== waiter.owner);
        const chosen = choose(left, need, open, waiter.isPatient && round === 1 && !waiter.isBlocked);
        for (const offer of chosen) taken.add(offer);
        const rooms = chosen.map((offer) => offer.room);
        left = withRoomOf(left, rooms);
      }
      const isServed = fits(need, left);
      if (!isServed) short.add(waiter);
      if (isServed || (round === 1 && waiter.isPatient && !waiter.isBlocked)) left = without(left, need);
    }
  }
  return [...taken];
}

/** None when they are not enough; unless `gather`: then all that help. */
function choose<T extends RoomOffer>(left: Room, need: RoomNeed, byIdle: readonly T[], gather: boolean): readonly T[] {
  const chosen: T[] = [];
  let room = left;
  for (const offer of byIdle) {
    if (fits(need, room)) break;
    if (!helps(need, room, offer.room)) continue;
    chosen.push(offer);
    room = withRoomOf(room, [offer.room]);
  }
  if (!fits(need, room)) return gather ? chosen : [];
  // The first ones may have been too small to matter once a larger one was found.
  const kept = new Set(chosen);
  for (const offer of chosen.toReversed()) {
    const rooms = [...kept].filter((other) => other !== offer).map((other) => other.room);
    if (fits(need, withRoomOf(left, rooms))) kept.delete(offer);
  }
  return [...kept];
}

function helps(need: RoomNeed, room: Room, offer: Room): boolean {
  return (
    (need.memoryMib > room.memoryMib && offer.memoryMib > 0) ||
    (need.cpuMillis > room.cpuMillis && offer.cpuMillis > 0) ||
    (pickGpus(need, room.gpus) === null && usableGpus(need, offer.gpus).length > 0)
  );
}
