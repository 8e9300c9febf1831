import { open, type FileHandle } from "node:fs/promises";
import type { Clock, Logger } from "@samovar/kit";
import { formatIpv4, SamovarError, type Ipv4Range } from "@samovar/protocol";
import { BLOCK_CAPACITY, containerAddress, gatewayOf } from "./address-block.ts";
import { runCommand } from "./commands.ts";
import { toAllowList, type AllowList } from "./allow-list.ts";
import { closeRules, openRules, removeSourceRules, sourceRules, type ContainerAddress } from "./firewall-rules.ts";
import { containerLink } from "./instance-name.ts";
import type { Kernel } from "./kernel.ts";

/** A namespace that is wired to the host, with an address. */
export interface Slot extends ContainerAddress {
  /** Keeps the namespace, and leads to it by way of /proc: where it is pinned is a mount, which other mount namespaces don't see. */
  readonly netns: FileHandle;
}

export interface SlotsOptions {
  readonly instance: string;
  readonly block: Ipv4Range;
  readonly mtu: number;
  /** How many are kept ready. */
  readonly stock: number;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Opening {
  readonly list: AllowList;
  /** The same for the same list. */
  readonly key: string;
}

const CLOSED: Opening = { list: toAllowList([]), key: "" };
const FILL_DELAY_MS = 100;
/** `ip netns` keeps them here. */
export const NETNS_DIR = "/run/netns";

/**
 * Namespaces for containers, some made ahead: making one takes several processes and the kernel's one lock. Those in
 * stock are open for the list that was asked for last, so that the next container of the same function finds all done.
 *
 * States of a slot: making → in stock → taken → gone; of the whole: open → disposed. An index, and with it an address,
 * is used again as late as possible, so that no connection of its last container is still known to the kernel.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #stock: Slot[] = [];
  /** With what the firewall lets each one reach. */
  readonly #all = new Map<Slot, Opening>();
  readonly #making = new Set<Promise<unknown>>();
  readonly #freed: number[] = [];
  #unused = 0;
  #filling = 0;
  #disposed = false;
  #wanted: Opening | null = null;
  #fillAwaited = false;
  #cancelFill: () => void = () => {};

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  /** One that reaches what the list has. */
  async take(list: AllowList, key: string): Promise<Slot> {
    if (this.#disposed) throw new SamovarError("shutting_down", "No network is made any more: the driver was disposed");
    const opening = { list, key };
    this.#wanted = opening;
    const fitting = this.#stock.findIndex((slot) => this.#all.get(slot)?.key === key);
    const slot = this.#stock.splice(Math.max(0, fitting), 1)[0] ?? (await this.#make(opening));
    this.#fillLater();
    await this.#reopen(slot, opening);
    return slot;
  }

  /** Tries every step. */
  async release(slot: Slot): Promise<void> {
    const { instance, kernel } = this.#options;
    const opened = this.#all.get(slot);
    if (!opened) return;
    this.#all.delete(slot);
    await slot.netns.close();
    // The rules first: whoever gets this link's name next must find none.
    const results = [
      ...(await Promise.allSettled([kernel.rules(closeRules(instance, slot, opened.list) + removeSourceRules(instance, slot))])),
      ...(await Promise.allSettled([kernel.unwire([slot.link])])),
    ];
    const failed = results.find((result) => result.status === "rejected");
    // With something of it still there, its index is not given away again.
    if (failed) throw failed.reason;
    this.#freed.push(slot.index);
  }

  /** Ends what is under way, and removes every namespace and link. The table goes with its owner. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    this.#cancelFill();
    await Promise.allSettled(this.#making);
    const slots = [...this.#all.keys()];
    this.#all.clear();
    this.#stock.length = 0;
    await Promise.all(slots.map((slot) => slot.netns.close()));
    await this.#options.kernel.unwire(slots.map((slot) => slot.link));
  }

  /** Not at once: the container that has just got its network is starting. */
  #fillLater(): void {
    if (this.#fillAwaited || this.#disposed) return;
    this.#fillAwaited = true;
    this.#cancelFill = this.#options.clock.after(FILL_DELAY_MS, () => {
      this.#fillAwaited = false;
      this.#fill();
    });
  }

  #fill(): void {
    for (; this.#stock.length + this.#filling < this.#options.stock && !this.#disposed;) {
      this.#filling++;
      this.#make(this.#wanted ?? CLOSED)
        .then(
          (slot) => this.#stock.push(slot),
          (error: unknown) => this.#options.logger.warn({ error }, "A network can't be made ahead"),
        )
        .finally(() => this.#filling--);
    }
  }

  async #reopen(slot: Slot, opening: Opening): Promise<void> {
    const { instance, kernel } = this.#options;
    const opened = this.#all.get(slot);
    if (!opened || opened.key === opening.key) return;
    try {
      await kernel.rules(closeRules(instance, slot, opened.list) + openRules(instance, slot, opening.list));
      if (this.#all.has(slot)) this.#all.set(slot, opening);
    } catch (error) {
      await this.release(slot).catch((failure: unknown) => this.#options.logger.warn({ error: failure }, "A container's network can't be removed"));
      throw new SamovarError("start_failed", `The container's network can't be opened for its allow list: ${(error as Error).message}`, { cause: error });
    }
  }

  #make(opening: Opening): Promise<Slot> {
    const making = this.#wire(opening);
    this.#making.add(making);
    const forget = (): boolean => this.#making.delete(making);
    making.then(forget, forget);
    return making;
  }

  async #wire(opening: Opening): Promise<Slot> {
    const { instance, block, mtu, kernel } = this.#options;
    const index = this.#nextIndex();
    const link = containerLink(instance, index);
    const place: ContainerAddress = { index, link, address: containerAddress(block, index) };
    const address = formatIpv4(place.address);
    const gateway = formatIpv4(gatewayOf(block));
    const inside = macOf(place.address, 0x02);
    const outside = macOf(place.address, 0x06);
    try {
      await kernel.link([
        `netns add ${link}`,
        // Neighbours are told, not asked for: nothing depends on how the host answers ARP.
        `link add ${link} address ${outside} mtu ${mtu} type veth peer name eth0 address ${inside} mtu ${mtu} netns ${link}`,
        `link set ${link} addrgenmode none`,
        `link set ${link} up`,
        `route add ${address}/32 dev ${link} src ${gateway}`,
        `neigh add ${address} lladdr ${inside} dev ${link} nud permanent`,
      ]);
      const [configured] = await Promise.all([
        runCommand("ip", ["-n", link, "-batch", "-"], insideLines(address, gateway, outside)),
        kernel.rules(sourceRules(instance, place) + openRules(instance, place, opening.list)),
      ]);
      if (configured.code !== 0) throw new Error(`ip -n ${link}: ${configured.stderr.trim()}`);
      const slot: Slot = { ...place, netns: await open(`${NETNS_DIR}/${link}`) };
      this.#all.set(slot, opening);
      return slot;
    } catch (error) {
      // Which rules were made is not known here, and they do no harm: the index is not used again.
      await kernel.unwire([link]).catch(() => {});
      throw new SamovarError("start_failed", `The container's network can't be made: ${(error as Error).message}`, { cause: error });
    }
  }

  #nextIndex(): number {
    if (this.#unused < BLOCK_CAPACITY) return this.#unused++;
    const index = this.#freed.shift();
    if (index === undefined) throw new SamovarError("no_capacity", `All ${BLOCK_CAPACITY} addresses for isolated containers are taken`);
    return index;
  }
}

function insideLines(address: string, gateway: string, outside: string): string {
  return [
    "link set lo up",
    "link set eth0 addrgenmode none",
    "link set eth0 up",
    `addr add ${address}/32 dev eth0`,
    `route add ${gateway}/32 dev eth0`,
    `route add default via ${gateway} dev eth0`,
    `neigh add ${gateway} lladdr ${outside} dev eth0 nud permanent`,
    "",
  ].join("\n");
}

/** Locally administered, and as unique on its link as the address. */
function macOf(address: number, first: number): string {
  return [first, 0x53, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
