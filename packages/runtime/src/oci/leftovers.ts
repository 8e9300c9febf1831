import type { Clock, Logger } from "@samovar/kit";
import { removeStaleCgroups } from "../cgroups.ts";
import type { ContainerNetworks } from "../network/container-network.ts";
import { StaleContainers } from "../stale-containers.ts";

export interface LeftoversOptions {
  /** The containers' folder. */
  readonly home: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly networks: ContainerNetworks;
}

/**
 * What a dead server's oci containers left: folders, control groups, networks. Networks are looked for later than the
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
      clearGroups: () => removeStaleCgroups(),
      clearRest: async (liveIds) => {
        leftovers.#liveIds = new Set(liveIds);
        if (leftovers.#stale) await (leftovers.#looked = leftovers.#clearNetworks());
      },
    });
    return leftovers;
  }

  /** The first look for networks. */
  begin(): Promise<boolean> {
    return (this.#looked ??= this.#clearNetworks());
  }

  /** Looks at containers no more. */
  stop(): void {
    this.#stale?.dispose();
  }

  /** Resolves when no look for networks is under way: whether nothing is left. */
  async areGone(): Promise<boolean> {
    return (await this.begin()) && (this.#stale?.isCleared ?? true);
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
