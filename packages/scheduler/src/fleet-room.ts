import type { FunctionOptions } from "@samovar/protocol";
import type { Container } from "./container.ts";
import type { Tally } from "./decisions/describe-room.ts";
import { needOf } from "./decisions/room.ts";
import type { HostCapacity, IdleOffer, RoomClient, RoomHold, RoomTenant, RoomWanted } from "./host-capacity.ts";

/** The fleet, as far as room is concerned. */
export interface RoomUser {
  readonly containers: ReadonlySet<Container>;
  /** Inputs that wait. */
  readonly queued: number;
  /** More come in a moment: containers that hold nothing are not to spare. */
  readonly expectsMore: boolean;
  /** As many are kept, whoever finds no room. */
  readonly roomFloor: number;
  readonly isClosed: boolean;
  reconcile(): void;
  /** One of its containers went for want of room elsewhere. */
  gaveWay(): void;
}

/** A fleet's part in the host: which container has which room, which of them may give way, and how many are waited for. */
export class FleetRoom implements RoomClient {
  /** Somebody waits for room: looked at whenever an input ends. */
  isWanted = false;
  /** This fleet waits for room. */
  isWaiting = false;
  readonly #user: RoomUser;
  readonly #options: FunctionOptions;
  readonly #tenant: RoomTenant;
  readonly #holds = new Map<Container, RoomHold>();
  readonly #yielding = new WeakSet<Container>();
  #wanted: RoomWanted = "no";

  constructor(user: RoomUser, options: FunctionOptions, capacity: HostCapacity) {
    this.#user = user;
    this.#options = options;
    this.#tenant = capacity.join(needOf(options), this);
  }

  /** Asks for `count` containers, of which so many are needed and not only welcome; calls back for each that there is room for. */
  start(count: number, needed: number, startOne: (hold: RoomHold) => Container): void {
    this.#tenant.want(needed, count - needed);
    for (let started = 0; started < count; started++) {
      const hold = this.#tenant.take();
      this.isWaiting = hold === null;
      if (!hold) return;
      this.#hold(startOne(hold), hold);
    }
    // All that is welcome was given, too.
    this.#tenant.want(0, 0);
  }

  /** A container that stands on the host already, whatever else is asked for there. */
  claim(container: Container, gpuIds: readonly string[]): void {
    this.#hold(container, this.#tenant.claim(gpuIds));
  }

  /** Nothing is missing any more. */
  waitNoMore(): void {
    this.isWaiting = false;
    this.#tenant.want(0, 0);
  }

  ended(container: Container): void {
    this.#holds.get(container)?.release();
    this.#holds.delete(container);
  }

  /** An input of this container ended while somebody waits for room. */
  inputEnded(container: Container): void {
    if (container.state !== "ready") return;
    if (this.#user.queued === 0 && !this.#user.expectsMore) {
      if (container.heldCount === 0) this.#tenant.idleChanged();
    } else if (this.#wanted === "turn" && this.#activeCount() > this.#user.roomFloor && this.#tenant.mustYield()) this.#giveWay(container);
  }

  /** Containers got idle, or the floor fell. */
  idleChanged(): void {
    if (this.isWanted) this.#tenant.idleChanged();
  }

  /** Containers that are needed find no room; not where only a buffer does. */
  get isShort(): boolean {
    return this.isWaiting && this.#tenant.wanted > 0;
  }

  /** Why there is no room for another one, for people. */
  describe(): string {
    return this.#tenant.describe();
  }

  leave(): void {
    this.isWaiting = false;
    this.#tenant.leave();
  }

  // --- the host's capacity asks (RoomClient)

  offers(): readonly IdleOffer[] {
    if (this.#user.queued > 0 || this.#user.expectsMore || this.#user.isClosed) return [];
    const active = [...this.#user.containers].filter((container) => container.isActive);
    const idle = active.filter((container) => container.state === "ready" && container.heldCount === 0).sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    return idle.slice(0, Math.max(0, active.length - this.#user.roomFloor)).map((container) => ({
      hold: this.#holds.get(container)!,
      idleSinceMs: container.idleSinceMs,
      giveWay: () => this.#giveWay(container),
    }));
  }

  tally(): Tally {
    let [busy, starting, idle, leaving] = [0, 0, 0, 0];
    for (const container of this.#user.containers) {
      if (container.heldCount > 0) busy++;
      else if (container.isComing) starting++;
      else if (container.state === "ready") idle++;
      else leaving++;
    }
    const offered = this.offers().length;
    return { busy, starting, kept: idle - offered, leaving: leaving + offered };
  }

  kept(): number {
    return this.#user.isClosed ? 0 : Math.min(this.#activeCount(), this.#user.roomFloor);
  }

  roomCame(): void {
    this.#user.reconcile();
  }

  setRoomWanted(wanted: RoomWanted): void {
    this.#wanted = wanted;
    this.isWanted = wanted !== "no";
  }

  #hold(container: Container, hold: RoomHold): void {
    this.#holds.set(container, hold);
    hold.isLeaving = () => isLeaving(container) || this.#yielding.has(container);
  }

  #activeCount(): number {
    let active = 0;
    for (const container of this.#user.containers) if (container.isActive) active++;
    return active;
  }

  #giveWay(container: Container): void {
    this.#yielding.add(container);
    this.#user.gaveWay();
    container.drain("room", this.#options.drainTimeoutMs);
  }
}

/** Nothing keeps it any more: its room comes by itself. */
function isLeaving(container: Container): boolean {
  return container.state === "stopping" || (container.state === "draining" && container.heldCount === 0);
}
