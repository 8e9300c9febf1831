import type { Clock } from "@samovar/kit";
import { SamovarError, type FunctionOptions } from "@samovar/protocol";
import { describeFull, describeImpossible, type Tally } from "./decisions/describe-room.ts";
import { behind, givingWay, type RoomAhead, type RoomOffer, type RoomWaiter } from "./decisions/giving-way.ts";
import {
  countThatFit,
  fits,
  needOf,
  pickGpus,
  roomOfHost,
  without,
  withRoomOf,
  withoutRoom,
  type HostSize,
  type Room,
  type RoomNeed,
} from "./decisions/room.ts";

/** Who has containers on the host: a pool, or the run of a hook. All containers of one are of one size. */
export interface RoomClient {
  /** Idle containers above the floor, which may go now. None where inputs wait: they are about to get work. */
  offers(): readonly IdleOffer[];
  /** Of its containers that count, by what they do. */
  tally(): Tally;
  /** How many containers it keeps whatever happens: its floor, or less where it has fewer. */
  kept(): number;
  /** There may be room: it asks again. */
  roomCame(): void;
  /** Whether somebody waits for room, and so what it has to say when an input of its ends. */
  setRoomWanted(wanted: RoomWanted): void;
}

/** `idle`: say so when a container gets idle (`RoomTenant.idleChanged`). `turn`: ask with every input that ends (`mustYield`). */
export type RoomWanted = "no" | "idle" | "turn";

export interface IdleOffer {
  readonly hold: RoomHold;
  readonly idleSinceMs: number;
  /** Drains it for want of room. */
  giveWay(): void;
}

/** How long a pool waits for room before more is done for it than to take what is idle. */
const PATIENCE_MS = 10_000;

/**
 * The one owner of what the host has for containers: memory, cpu and GPUs, counted by requests. Whoever starts a
 * container takes room first, and gives it back when the container has ended, not before.
 *
 * Those who find no room wait in a line. They are served in its order, one container each, and go to its end for their
 * next. One that needs little may pass one that needs much, for ten seconds; then room is gathered for that one. While
 * anyone waits, idle containers above the floors of other pools give way, longest idle first. Who waited for ten seconds
 * without having any container gets the next one of another pool that finishes an input, though more of that pool's wait.
 *
 * Everything is pushed: the line is looked at when a container ended, got idle, or somebody joined or left, at the end
 * of that turn.
 */
export class HostCapacity {
  readonly total: Room;
  readonly #clock: Clock;
  readonly #tenants = new Set<RoomTenant>();
  #free: Room;
  #line: RoomTenant[] = [];
  /** Those who would use room that nobody waits for. */
  readonly #extras = new Set<RoomTenant>();
  #looking = false;
  #wanted: RoomWanted = "no";
  /** When the line was last looked at, more was idle than had to give way. */
  #hasOffers = false;
  /** Rises when somebody who was refused may find room: until then nothing is computed for them again. */
  #generation = 0;
  #cancelPatience: () => void = () => {};

  constructor(host: HostSize, clock: Clock) {
    this.total = roomOfHost(host);
    this.#free = this.total;
    this.#clock = clock;
  }

  get free(): Room {
    return this.#free;
  }

  /** Why no container of these options could ever run here, for people; null when it could. */
  describeImpossible(options: FunctionOptions): string | null {
    return describeImpossible(needOf(options), this.total);
  }

  /** How many containers of these options the host can hold: the ceiling where none is set. */
  ceiling(options: FunctionOptions): number {
    return countThatFit(needOf(options), this.total);
  }

  join(need: RoomNeed, client: RoomClient): RoomTenant {
    const tenant = new RoomTenant(this, need, client);
    this.#tenants.add(tenant);
    client.setRoomWanted(this.#wanted);
    return tenant;
  }

  // --- tenants tell

  leave(tenant: RoomTenant): void {
    this.want(tenant, 0, 0);
    tenant.isLeaving = true;
    if (tenant.holds.size === 0) this.#tenants.delete(tenant);
  }

  want(tenant: RoomTenant, needed: number, extra: number): void {
    if (extra > 0) this.#extras.add(tenant);
    else this.#extras.delete(tenant);
    if (tenant.wanted === needed) return;
    const before = tenant.wanted;
    tenant.wanted = needed;
    // A queue that grows and shrinks changes this with every input: while nothing is idle that is no reason to look.
    if (before > 0 && needed > 0 && (needed < before || !this.#hasOffers)) return;
    if (before === 0) {
      tenant.sinceMs = this.#clock.monotonic();
      this.#line.push(tenant);
    } else if (needed === 0) {
      this.#line = this.#line.filter((waiting) => waiting !== tenant);
    }
    this.lookSoon();
  }

  take(tenant: RoomTenant): RoomHold | null {
    const { need } = tenant;
    if (need.memoryMib > this.#free.memoryMib || need.cpuMillis > this.#free.cpuMillis) return null;
    if (tenant.refusedAt === this.#generation) return null;
    const at = this.#line.indexOf(tenant);
    const open = this.#behind(at === -1 ? this.#line : this.#line.slice(0, at)).free;
    if (!fits(need, open)) {
      tenant.refusedAt = this.#generation;
      return null;
    }
    const hold = new RoomHold(this, tenant, { memoryMib: need.memoryMib, cpuMillis: need.cpuMillis, gpus: pickGpus(need, open.gpus)! });
    this.#free = withoutRoom(this.#free, hold.room);
    tenant.holds.add(hold);
    if (at !== -1) {
      // Its next one waits behind those who wait now.
      this.#line.splice(at, 1);
      tenant.wanted--;
      tenant.sinceMs = this.#clock.monotonic();
      if (tenant.wanted > 0) this.#line.push(tenant);
      this.lookSoon();
    }
    return hold;
  }

  /** For a container that is there, whether it fits or not. */
  claim(tenant: RoomTenant, gpuIds: readonly string[]): RoomHold {
    const { memoryMib, cpuMillis } = tenant.need;
    const hold = new RoomHold(this, tenant, { memoryMib, cpuMillis, gpus: this.total.gpus.filter(({ id }) => gpuIds.includes(id)) });
    this.#free = withoutRoom(this.#free, hold.room);
    tenant.holds.add(hold);
    return hold;
  }

  release(hold: RoomHold): void {
    const { tenant } = hold;
    if (!tenant.holds.delete(hold)) return;
    if (tenant.isLeaving && tenant.holds.size === 0) this.#tenants.delete(tenant);
    this.#free = withRoomOf(this.#free, [hold.room]);
    this.lookSoon();
  }

  /**
   * Whether a container of this tenant that has just finished an input is to go though more work waits for it: somebody
   * without any container waited long enough, and what is coming is not enough for that one.
   */
  mustYield(tenant: RoomTenant): boolean {
    const nowMs = this.#clock.monotonic();
    let coming = this.#coming();
    for (const waiter of this.#waiters(this.#line)) {
      if (waiter.isBlocked) continue;
      if (waiter.owner !== tenant && isStarving(waiter.owner, nowMs) && !fits(waiter.need, coming)) return true;
      coming = without(coming, waiter.need);
    }
    return false;
  }

  /** Why this tenant gets no room, for people. */
  describe(tenant: RoomTenant): string {
    const others: { -readonly [K in keyof Tally]: number } = { busy: 0, starting: 0, kept: 0, leaving: 0 };
    for (const other of this.#tenants) {
      if (other === tenant) continue;
      const tally = other.client.tally();
      for (const key of ["busy", "starting", "kept", "leaving"] as const) others[key] += tally[key];
    }
    return describeFull(tenant.need, this.#free, this.total, tenant.client.tally(), others);
  }

  /** At the end of this turn, once, whatever happens in it. */
  lookSoon(): void {
    this.#generation++;
    if (this.#looking || (this.#line.length === 0 && this.#extras.size === 0 && this.#wanted === "no")) return;
    this.#looking = true;
    queueMicrotask(() => {
      this.#looking = false;
      this.#serve();
      this.#makeRoom();
      this.#tellWanted();
    });
  }

  // --- the line

  #serve(): void {
    let ahead = this.#ahead();
    for (const waiter of this.#waiters(this.#line)) {
      const tenant = waiter.owner;
      const had = tenant.holds.size;
      if (fits(tenant.need, ahead.free)) tenant.client.roomCame();
      // The line is another one now, and is looked at again at the end of this turn.
      if (tenant.holds.size > had) return;
      if (tenant.wanted > 0) ahead = behind(ahead, waiter);
    }
    for (const tenant of [...this.#extras]) if (fits(tenant.need, ahead.free)) tenant.client.roomCame();
  }

  #makeRoom(): void {
    this.#cancelPatience();
    if (this.#line.length === 0) return;
    const offers: (RoomOffer & { readonly idle: IdleOffer })[] = [];
    for (const tenant of this.#tenants) {
      for (const idle of tenant.client.offers()) offers.push({ owner: tenant, idleSinceMs: idle.idleSinceMs, room: idle.hold.room, idle });
    }
    const chosen = givingWay(this.#coming(), this.#waiters(this.#line), offers);
    this.#hasOffers = chosen.length < offers.length;
    for (const { idle } of chosen) idle.giveWay();
    const impatient = this.#line.map((tenant) => tenant.sinceMs + PATIENCE_MS).filter((atMs) => atMs > this.#clock.monotonic());
    if (impatient.length > 0) this.#cancelPatience = this.#clock.after(Math.min(...impatient) - this.#clock.monotonic(), () => this.lookSoon());
  }

  #tellWanted(): void {
    const nowMs = this.#clock.monotonic();
    const wanted = this.#line.length === 0 ? "no" : this.#line.some((tenant) => isStarving(tenant, nowMs)) ? "turn" : "idle";
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    for (const tenant of this.#tenants) tenant.client.setRoomWanted(wanted);
  }

  /** What is free, and what will be since its container is on its way out. */
  #coming(): Room {
    const leaving: Room[] = [];
    for (const tenant of this.#tenants) for (const hold of tenant.holds) if (hold.isLeaving()) leaving.push(hold.room);
    return withRoomOf(this.#free, leaving);
  }

  #ahead(): RoomAhead {
    return { free: this.#free, coming: this.#coming() };
  }

  /** What is open to somebody who comes after these. */
  #behind(line: readonly RoomTenant[]): RoomAhead {
    let ahead = this.#ahead();
    for (const waiter of this.#waiters(line)) ahead = behind(ahead, waiter);
    return ahead;
  }

  #waiters(line: readonly RoomTenant[]): (RoomWaiter & { readonly owner: RoomTenant })[] {
    if (line.length === 0) return [];
    const nowMs = this.#clock.monotonic();
    let withoutFloors = this.total;
    for (const tenant of this.#tenants) for (const room of tenant.keptRooms()) withoutFloors = withoutRoom(withoutFloors, room);
    return line.map((tenant) => ({
      owner: tenant,
      need: tenant.need,
      wanted: tenant.wanted,
      isPatient: nowMs - tenant.sinceMs >= PATIENCE_MS,
      isBlocked: !fits(tenant.need, withoutFloors),
    }));
  }
}

/** It has no container at all, and waited long enough. */
function isStarving(tenant: RoomTenant, nowMs: number): boolean {
  return tenant.holds.size === 0 && nowMs - tenant.sinceMs >= PATIENCE_MS;
}

/** One who has containers on the host, or wants some. */
export class RoomTenant {
  readonly need: RoomNeed;
  readonly client: RoomClient;
  readonly holds = new Set<RoomHold>();
  /** Containers that it waits for in the line. */
  wanted = 0;
  sinceMs = 0;
  /** When it was last refused, by the generation of what there is. */
  refusedAt = -1;
  /** It is gone when its last container is. */
  isLeaving = false;
  readonly #capacity: HostCapacity;

  constructor(capacity: HostCapacity, need: RoomNeed, client: RoomClient) {
    this.#capacity = capacity;
    this.need = need;
    this.client = client;
  }

  /** So many containers are needed and not there; and so many more are welcome, for which nobody has to give way. */
  want(needed: number, extra: number): void {
    this.#capacity.want(this, needed, extra);
  }

  /** Room for one container, or null: then `roomCame` says when to ask again. */
  take(): RoomHold | null {
    return this.#capacity.take(this);
  }

  claim(gpuIds: readonly string[]): RoomHold {
    return this.#capacity.claim(this, gpuIds);
  }

  /** A container got idle, or its floor fell, while somebody waits. */
  idleChanged(): void {
    this.#capacity.lookSoon();
  }

  mustYield(): boolean {
    return this.#capacity.mustYield(this);
  }

  stayingHolds(): RoomHold[] {
    return [...this.holds].filter((hold) => !hold.isLeaving());
  }

  /** Of its holds, what its floor keeps. */
  keptRooms(): Room[] {
    const kept = this.client.kept();
    return kept === 0
      ? []
      : this.stayingHolds()
          .map((hold) => hold.room)
          .slice(0, kept);
  }

  describe(): string {
    return this.#capacity.describe(this);
  }

  /** It wants nothing any more; what it holds is still to be given back. */
  leave(): void {
    this.#capacity.leave(this);
  }
}

/** The room of one container. */
export class RoomHold {
  readonly room: Room;
  readonly tenant: RoomTenant;
  /** Whether its container is on its way out: the room comes by itself. */
  isLeaving: () => boolean = () => false;
  readonly #capacity: HostCapacity;

  constructor(capacity: HostCapacity, tenant: RoomTenant, room: Room) {
    this.#capacity = capacity;
    this.tenant = tenant;
    this.room = room;
  }

  get gpuIds(): readonly string[] {
    return this.room.gpus.map((device) => device.id);
  }

  /** Its container has ended, and nothing is left of it. Idempotent. */
  release(): void {
    this.#capacity.release(this);
  }
}

/** As callers are told who ask for what can't be. */
export function toImpossibleError(what: string, why: string): SamovarError {
  return new SamovarError("no_capacity", `${what} can never run on this host: it ${why}`, {
    // The catalogue's is for those who wait for room: waiting helps nobody here.
    fields: { reason: why, fix: "Ask for less cpu, memory or GPUs, or use a larger machine" },
  });
}
