import type { DueCallback } from "@samovar/storage";

export interface LaneLimits {
  /** In flight to one host. */
  readonly perHost: number;
  /** Waiting for one host in memory; what is beyond stays in the store. */
  readonly laneLength: number;
}

interface Lane {
  readonly waiting: DueCallback[];
  /** Of all that wait or waited here; what the store need not give out while the lane is full. */
  readonly urls: Set<string>;
  active: number;
  limit: number;
  /** The store was told to leave this lane's out: it may have more. */
  isShort: boolean;
}

/**
 * Callbacks that are due, in one lane per host, so that a host that is slow or gone holds up its own and no others. Lanes
 * take turns.
 *
 * A callback: added → (its lane's turn) taken → answered, when the next one of its lane may be taken → forgotten. A lane is
 * there while it has callbacks.
 */
export class CallbackLanes {
  readonly #limits: LaneLimits;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes with room and something waiting, in the order of their turns. */
  readonly #ready = new Set<Lane>();
  readonly #held = new Set<string>();

  constructor(limits: LaneLimits) {
    this.#limits = limits;
  }

  get held(): number {
    return this.#held.size;
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  add(callback: DueCallback): void {
    this.#held.add(callback.id);
    const host = laneOf(callback.url);
    let lane = this.#lanes.get(host);
    if (!lane) this.#lanes.set(host, (lane = { waiting: [], urls: new Set(), active: 0, limit: this.#limits.perHost, isShort: false }));
    lane.waiting.push(callback);
    lane.urls.add(callback.url);
    this.#judge(lane);
  }

  /** The next one that may be sent, if there is one. */
  take(): DueCallback | undefined {
    const [lane] = this.#ready;
    if (!lane) return undefined;
    const callback = lane.waiting.shift()!;
    lane.active += 1;
    // To the end of the turns.
    this.#ready.delete(lane);
    this.#judge(lane);
    return callback;
  }

  /**
   * Its try is over. A host that didn't answer gets one at a time until it answers again: many of its kind must not take
   * all the room there is.
   */
  answered(callback: DueCallback, hasAnswered: boolean): void {
    const host = laneOf(callback.url);
    const lane = this.#lanes.get(host)!;
    lane.active -= 1;
    lane.limit = hasAnswered ? this.#limits.perHost : 1;
    if (lane.active === 0 && lane.waiting.length === 0 && !lane.isShort) this.#lanes.delete(host);
    this.#judge(lane);
  }

  /** The store knows what came of it. */
  forget(callback: DueCallback): void {
    this.#held.delete(callback.id);
  }

  /** URLs of which there is enough here for now. */
  leaveOut(): readonly string[] {
    const urls: string[] = [];
    for (const [host, lane] of this.#lanes) {
      lane.isShort = lane.waiting.length >= this.#limits.laneLength;
      if (lane.active === 0 && lane.waiting.length === 0) this.#lanes.delete(host);
      if (lane.isShort) for (const url of lane.urls) urls.push(url);
    }
    return urls;
  }

  /** A lane that was left out runs dry. */
  get wantsMore(): boolean {
    for (const lane of this.#lanes.values()) if (lane.isShort && lane.waiting.length <= this.#limits.laneLength / 4) return true;
    return false;
  }

  #judge(lane: Lane): void {
    if (lane.waiting.length > 0 && lane.active < lane.limit) this.#ready.add(lane);
    else this.#ready.delete(lane);
  }
}

const laneOf = (url: string): string => URL.parse(url)?.host ?? "";
