import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Logger } from "@samovar/kit";
import { SERVER_AWAY_MS, SamovarError } from "@samovar/protocol";
import { removeFolder } from "./container-folder.ts";
import { closePipes, reopenPipes, type ContainerPipes } from "./container-pipes.ts";
import { isLiving, readRecord, type ContainerRecord } from "./container-record.ts";
import { findByContainerId } from "./process-table.ts";

/**
 * At 11, 45 and 120 s it is looked whether leftovers are gone; what outlives the last look is killed. A runner looks
 * for its server first, lets inputs finish for 10 s and gives its stop hooks their grace period, 30 s unless set: the
 * last look must come well after that, or hooks that do as they were told would be cut.
 */
const LOOKS_AFTER_MS = [SERVER_AWAY_MS + 1_000, 34_000, 75_000] as const;
/** Pauses for groups to become empty double up to this, together about as long. */
const LAST_PAUSE_MS = 2_000;

export interface StaleContainersOptions {
  readonly containersDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Removes the control groups of dead servers that have become empty, but for these; false while others are not. */
  clearGroups(takenIds: ReadonlySet<string>): Promise<boolean>;
  /** Removes what else a driver has for containers, but for these. */
  clearRest?(liveIds: ReadonlySet<string>): Promise<void>;
}

/** What a driver goes on with. */
export interface TakenContainer {
  readonly record: ContainerRecord;
  readonly pipes: ContainerPipes;
}

/**
 * What a server that died left in the containers' folder. Containers without a process go at once; the others are
 * left alone until they are taken back or their runner has ended itself. What they write is read all the while, so that
 * none of them waits for a reader.
 *
 * States of one container: left → cleared, or taken → ended. Of the whole: waiting (some are left, a timer is set) → done;
 * `end` hurries it on; `stop` ends the waiting; `dispose` clears what has ended by then and leaves the others to the next server.
 */
export class StaleContainers {
  readonly #options: StaleContainersOptions;
  readonly #left: Set<string>;
  readonly #taken = new Set<string>();
  readonly #pipes = new Map<string, ContainerPipes>();
  /** A look, or somebody who takes one: each after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Whether there was anything: what is shared is looked for at the end only then. */
  readonly #foundSome: boolean;
  #groupsCleared = false;
  #cancelTimer: () => void = () => {};
  #stopped = false;

  private constructor(options: StaleContainersOptions, left: Set<string>) {
    this.#options = options;
    this.#left = left;
    this.#foundSome = left.size > 0;
  }

  static async clear(options: StaleContainersOptions): Promise<StaleContainers> {
    const stale = new StaleContainers(options, new Set((await readdir(options.containersDir)).filter((name) => !name.startsWith("."))));
    await stale.#inTurn(() => stale.#look({ kill: false, isLast: false }));
    stale.#wait(0);
    return stale;
  }

  get isCleared(): boolean {
    return this.#left.size === 0 && this.#taken.size === 0;
  }

  /** Of those that are left, the ones that can be taken. */
  living(driver: ContainerRecord["driver"]): Promise<ReadonlySet<string>> {
    return this.#inTurn(async () => {
      const ids = await Promise.all([...this.#left].map(async (id) => ((await this.#readLiving(id, driver)) ? id : null)));
      return new Set(ids.filter((id) => id !== null));
    });
  }

  /** Null where its main process doesn't live, or is another driver's. */
  async #readLiving(containerId: string, driver: ContainerRecord["driver"]): Promise<ContainerRecord | null> {
    const record = await readRecord(this.#folderOf(containerId));
    return record?.driver === driver && (await isLiving(record, containerId)) ? record : null;
  }

  /** From now on it is the driver's to end. Rejects with `not_found` where its main process doesn't live, or is another driver's. */
  take(containerId: string, driver: ContainerRecord["driver"]): Promise<TakenContainer> {
    return this.#inTurn(async () => {
      const record = this.#left.has(containerId) && !this.#stopped ? await this.#readLiving(containerId, driver) : null;
      if (!record) throw new SamovarError("not_found", `Container ${containerId} can't be taken back: an earlier server has left no main process of it`);
      const pipes = this.#pipes.get(containerId) ?? reopenPipes(this.#folderOf(containerId));
      this.#pipes.delete(containerId);
      this.#left.delete(containerId);
      this.#taken.add(containerId);
      return { record, pipes };
    });
  }

  /** One that was taken has ended: what it shared with others of its server goes, unless some of these live. */
  async ended(containerId: string): Promise<void> {
    await this.#inTurn(async () => {
      this.#taken.delete(containerId);
      await this.#clearShared();
    });
  }

  /**
   * Waits until what is left has ended, so long at most, and kills and clears it then. To be called when nobody will take
   * any more; once more with 0, and the wait is over.
   */
  async end(waitMs: number): Promise<void> {
    if (this.#left.size === 0) return;
    // One without pipes had not begun when its server died.
    const ended = Promise.all([...this.#left].map((id) => this.#pipes.get(id)?.life.closed ?? Promise.resolve()));
    if (waitMs > 0) await withinMs(this.#options.clock, waitMs, ended);
    await this.#inTurn(() => this.#look({ kill: true, isLast: true }));
  }

  /** From now on none can be taken, and it is looked no more. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer();
    for (const id of [...this.#pipes.keys()]) this.#closePipes(id);
  }

  /** To be called when those that were taken have ended: clears what has ended since the last look. */
  async dispose(): Promise<void> {
    this.stop();
    await this.#inTurn(async () => {
      if (this.#left.size > 0 || (this.#foundSome && !this.#groupsCleared)) await this.#look({ kill: false, isLast: true });
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #folderOf(containerId: string): string {
    return join(this.#options.containersDir, containerId);
  }

  #wait(round: number): void {
    const delayMs = LOOKS_AFTER_MS[round];
    if ((this.#left.size === 0 && this.#groupsCleared) || delayMs === undefined || this.#stopped) return;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => void this.#lookAgain(round));
  }

  async #lookAgain(round: number): Promise<void> {
    const { logger } = this.#options;
    try {
      const isLast = round === LOOKS_AFTER_MS.length - 1;
      await this.#inTurn(() => this.#look({ kill: isLast, isLast }));
      this.#wait(round + 1);
      logger.info(
        { left: [...this.#left] },
        this.#left.size === 0 ? "What an earlier server left is cleared" : "Containers of an earlier server are still ending",
      );
    } catch (error) {
      logger.warn({ error }, "What an earlier server left can't be removed");
    }
  }

  async #look({ kill, isLast }: { readonly kill: boolean; readonly isLast: boolean }): Promise<void> {
    const alive = await findByContainerId(this.#left);
    if (kill) for (const pids of alive.values()) for (const pid of pids) endProcess(pid);
    for (const id of [...this.#left]) {
      if (alive.has(id) && !kill) {
        this.#openPipes(id);
        continue;
      }
      this.#closePipes(id);
      await removeFolder(this.#folderOf(id));
      this.#left.delete(id);
    }
    await this.#clearShared();
    // What has just ended leaves its group a moment later, and no later look would see to it.
    for (let pauseMs = 1; isLast && this.#left.size === 0 && !this.#groupsCleared && pauseMs < LAST_PAUSE_MS; pauseMs *= 2) {
      await sleep(pauseMs);
      this.#groupsCleared = await this.#options.clearGroups(this.#taken);
    }
  }

  async #clearShared(): Promise<void> {
    await this.#options.clearRest?.(new Set([...this.#left, ...this.#taken]));
    this.#groupsCleared = await this.#options.clearGroups(this.#taken);
  }

  #openPipes(containerId: string): void {
    if (this.#pipes.has(containerId) || this.#stopped) return;
    try {
      this.#pipes.set(containerId, reopenPipes(this.#folderOf(containerId)));
    } catch {
      // It ends without a reader.
    }
  }

  #closePipes(containerId: string): void {
    const pipes = this.#pipes.get(containerId);
    if (pipes) closePipes(pipes);
    this.#pipes.delete(containerId);
  }
}

/** Resolves with `done`, or then. */
function withinMs(clock: Clock, ms: number, done: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve);
    void done.then(() => {
      cancel();
      resolve();
    });
  });
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}
