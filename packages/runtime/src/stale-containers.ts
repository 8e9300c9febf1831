import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Logger } from "@samovar/kit";
import { removeFolder } from "./container-folder.ts";
import { findByContainerId } from "./process-table.ts";

/**
 * At 11, 45 and 120 s it is looked whether leftovers are gone; what outlives the last look is killed. A runner waits
 * 10 s for its server, lets inputs finish for 10 s and gives its stop hooks their grace period, 30 s unless set: the
 * last look must come well after that, or hooks that do as they were told would be cut.
 */
const LOOKS_AFTER_MS = [11_000, 34_000, 75_000] as const;
/** Pauses for groups to become empty double up to this, together about as long. */
const LAST_PAUSE_MS = 2_000;

export interface StaleContainersOptions {
  readonly containersDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Removes the control groups of dead servers that have become empty; false while some are not. */
  clearGroups(): Promise<boolean>;
  /** Removes what else a driver has for containers, but for these. */
  clearRest?(liveIds: ReadonlySet<string>): Promise<void>;
}

/**
 * What a server that died left in the containers' folder. Containers without a process go at once; the others are
 * left alone until their runner has ended itself. They are not taken back: without their pipes and exit event a
 * driver would have to guess.
 *
 * States: waiting (some are left, a timer is set) → done. `dispose` ends the waiting and leaves them to the next server.
 */
export class StaleContainers {
  readonly #options: StaleContainersOptions;
  readonly #left: Set<string>;
  #groupsCleared = false;
  #cancelTimer: () => void = () => {};
  #disposed = false;

  private constructor(options: StaleContainersOptions, left: Set<string>) {
    this.#options = options;
    this.#left = left;
  }

  static async clear(options: StaleContainersOptions): Promise<StaleContainers> {
    const stale = new StaleContainers(options, new Set((await readdir(options.containersDir)).filter((name) => !name.startsWith("."))));
    await stale.#look(false);
    stale.#wait(0);
    return stale;
  }

  get isCleared(): boolean {
    return this.#left.size === 0;
  }

  dispose(): void {
    this.#disposed = true;
    this.#cancelTimer();
  }

  #wait(round: number): void {
    const delayMs = LOOKS_AFTER_MS[round];
    if ((this.#left.size === 0 && this.#groupsCleared) || delayMs === undefined || this.#disposed) return;
    this.#cancelTimer = this.#options.clock.after(delayMs, () => void this.#lookAgain(round));
  }

  async #lookAgain(round: number): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#look(round === LOOKS_AFTER_MS.length - 1);
      this.#wait(round + 1);
      logger.info(
        { left: [...this.#left] },
        this.#left.size === 0 ? "What an earlier server left is cleared" : "Containers of an earlier server are still ending",
      );
    } catch (error) {
      logger.warn({ error }, "What an earlier server left can't be removed");
    }
  }

  async #look(kill: boolean): Promise<void> {
    const alive = await findByContainerId(this.#left);
    if (kill) for (const pids of alive.values()) for (const pid of pids) endProcess(pid);
    for (const id of [...this.#left]) {
      if (alive.has(id) && !kill) continue;
      await removeFolder(join(this.#options.containersDir, id));
      this.#left.delete(id);
    }
    await this.#options.clearRest?.(this.#left);
    this.#groupsCleared = await this.#options.clearGroups();
    // What was just killed leaves its group a moment later, and no later look would see to it.
    for (let pauseMs = 1; kill && !this.#groupsCleared && pauseMs < LAST_PAUSE_MS; pauseMs *= 2) {
      await sleep(pauseMs);
      this.#groupsCleared = await this.#options.clearGroups();
    }
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Ended by itself.
  }
}
