import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Logger } from "@samovar/kit";
import { removeStaleCgroups } from "../cgroups.ts";
import { removeFolder } from "../container-folder.ts";
import { readRecord } from "../container-record.ts";
import type { ContainerNetworks } from "../network/container-network.ts";
import { StaleContainers, type TakenContainer } from "../stale-containers.ts";

export interface LeftoversOptions {
  /** The containers' folder. */
  readonly home: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly networks: ContainerNetworks;
  /** Of this driver, in the containers' folder. Its name begins with `ROOT_PREFIX`. */
  readonly rootFolder: string;
}

/** Of the folders with the roots that containers share, see `prepareHostRoot`. */
export const ROOT_PREFIX = ".root-";

/**
 * What a dead server's oci containers left: folders, control groups, roots, networks. Networks are looked for later than the
 * rest: that runs several programs, and of a start nothing but other networks has to wait for it.
 *
 * States: as of StaleContainers; and networks not looked for yet → looked for, by `begin` or a later look.
 */
export class Leftovers {
  readonly #options: LeftoversOptions;
  #stale: StaleContainers | null = null;
  #liveIds: ReadonlySet<string> = new Set();
  #looked: Promise<boolean> | null = null;

  private constructor(options: LeftoversOptions) {
    this.#options = options;
  }

  static async clear(options: LeftoversOptions): Promise<Leftovers> {
    const leftovers = new Leftovers(options);
    leftovers.#stale = await StaleContainers.clear({
      containersDir: options.home,
      clock: options.clock,
      logger: options.logger,
      clearGroups: (takenIds) => removeStaleCgroups(takenIds),
      clearRest: async (liveIds) => {
        leftovers.#liveIds = liveIds;
        await leftovers.#clearRoots();
        if (leftovers.#stale) await (leftovers.#looked = leftovers.#clearNetworks());
      },
    });
    return leftovers;
  }

  /** The first look for networks. */
  begin(): Promise<boolean> {
    return (this.#looked ??= this.#clearNetworks());
  }

  /** As of StaleContainers. */
  living(): Promise<ReadonlySet<string>> {
    return this.#stale!.living("oci");
  }

  /** As of StaleContainers. */
  take(containerId: string): Promise<TakenContainer> {
    return this.#stale!.take(containerId, "oci");
  }

  /** As of StaleContainers. */
  async end(waitMs: number): Promise<void> {
    await this.#stale?.end(waitMs);
  }

  /** One that was taken has ended. */
  ended(containerId: string): Promise<void> {
    return this.#stale!.ended(containerId);
  }

  /** As of StaleContainers. */
  stop(): void {
    this.#stale?.stop();
  }

  /** As of StaleContainers. */
  async dispose(): Promise<void> {
    await this.#stale?.dispose();
  }

  /** Resolves when no look for networks is under way: whether nothing is left. */
  async areGone(): Promise<boolean> {
    return (await this.begin()) && (this.#stale?.isCleared ?? true);
  }

  /** Containers see their root as it is on disk: it stays until none of them lives, and while it isn't known of one which it has. */
  async #clearRoots(): Promise<void> {
    const { home, rootFolder } = this.#options;
    const records = await Promise.all([...this.#liveIds].map((id) => readRecord(join(home, id))));
    if (records.includes(null)) return;
    const used = new Set([rootFolder, ...records.map((record) => join(home, record!.oci?.rootFolder ?? ""))]);
    const found = (await readdir(home)).filter((name) => name.startsWith(ROOT_PREFIX)).map((name) => join(home, name));
    for (const folder of found) if (!used.has(folder)) await removeFolder(folder);
  }

  async #clearNetworks(): Promise<boolean> {
    const { networks, logger } = this.#options;
    try {
      await networks.clearStale(this.#liveIds);
      return true;
    } catch (error) {
      logger.warn({ error }, "Networks that an earlier server left can't be removed");
      return false;
    }
  }
}
