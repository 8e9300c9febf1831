import type { Logger } from "@samovar/kit";
import { formatIpv4, SamovarError, type Ipv4Range } from "@samovar/protocol";
import { BLOCK_CAPACITY, containerAddress, gatewayOf } from "./address-block.ts";
import { runCommand } from "./commands.ts";
import { removeSourceRules, sourceRules, type ContainerAddress } from "./firewall-rules.ts";
import { containerLink } from "./instance-name.ts";
import type { Kernel } from "./kernel.ts";

/** A namespace that is wired to the host, with an address; it reaches nothing until the firewall is told more. */
export interface Slot extends ContainerAddress {
  readonly netnsPath: string;
}

export interface SlotsOptions {
  readonly instance: string;
  readonly block: Ipv4Range;
  readonly mtu: number;
  /** How many are kept ready. */
  readonly stock: number;
  readonly kernel: Kernel;
  readonly logger: Logger;
}

/** `ip netns` keeps them here. */
export const NETNS_DIR = "/run/netns";

/**
 * Namespaces for containers, some made ahead: making one takes several processes and the kernel's one lock.
 *
 * States of a slot: making → in stock → taken → gone; of the whole: open → disposed. An index, and with it an address,
 * is used again as late as possible, so that no connection of its last container is still known to the kernel.
 */
export class Slots {
  readonly #options: SlotsOptions;
  readonly #stock: Slot[] = [];
  readonly #all = new Set<Slot>();
  readonly #making = new Set<Promise<unknown>>();
  readonly #freed: number[] = [];
  #unused = 0;
  #filling = 0;
  #disposed = false;

  constructor(options: SlotsOptions) {
    this.#options = options;
  }

  async take(): Promise<Slot> {
    if (this.#disposed) throw new SamovarError("shutting_down", "No network is made any more: the driver was disposed");
    const slot = this.#stock.shift() ?? (await this.#make());
    this.#fill();
    return slot;
  }

  /** `closeRules` of its container go in one with what the slot itself had. Tries every step. */
  async release(slot: Slot, closeRules: string): Promise<void> {
    const { instance, kernel } = this.#options;
    if (!this.#all.delete(slot)) return;
    // The rules first: whoever gets this link's name next must find none.
    const results = [
      ...(await Promise.allSettled([kernel.rules(closeRules + removeSourceRules(instance, slot))])),
      ...(await Promise.allSettled([kernel.link(unwire(slot.link))])),
    ];
    const failed = results.find((result) => result.status === "rejected");
    // With something of it still there, its index is not given away again.
    if (failed) throw failed.reason;
    this.#freed.push(slot.index);
  }

  /** Ends what is under way, and removes every namespace and link. The table goes with its owner. */
  async dispose(): Promise<void> {
    this.#disposed = true;
    await Promise.allSettled(this.#making);
    const slots = [...this.#all];
    this.#all.clear();
    this.#stock.length = 0;
    await this.#options.kernel.link(slots.flatMap((slot) => unwire(slot.link)));
  }

  #fill(): void {
    for (; this.#stock.length + this.#filling < this.#options.stock && !this.#disposed;) {
      this.#filling++;
      this.#make()
        .then(
          (slot) => this.#stock.push(slot),
          (error: unknown) => this.#options.logger.warn({ error }, "A network can't be made ahead"),
        )
        .finally(() => this.#filling--);
    }
  }

  #make(): Promise<Slot> {
    const making = this.#wire();
    this.#making.add(making);
    const forget = (): boolean => this.#making.delete(making);
    making.then(forget, forget);
    return making;
  }

  async #wire(): Promise<Slot> {
    const { instance, block, mtu, kernel } = this.#options;
    const index = this.#nextIndex();
    const link = containerLink(instance, index);
    const slot: Slot = { index, link, address: containerAddress(block, index), netnsPath: `${NETNS_DIR}/${link}` };
    this.#all.add(slot);
    const address = formatIpv4(slot.address);
    const gateway = formatIpv4(gatewayOf(block));
    const inside = macOf(slot.address, 0x02);
    const outside = macOf(slot.address, 0x06);
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
        kernel.rules(sourceRules(instance, slot)),
      ]);
      if (configured.code !== 0) throw new Error(`ip -n ${link}: ${configured.stderr.trim()}`);
      return slot;
    } catch (error) {
      this.#all.delete(slot);
      // Whether an address was made a source is not known here, and it does no harm: the index is not used again.
      await kernel.link(unwire(link)).catch(() => {});
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

/** The link goes by itself with its namespace, but only some time after the last process that was in there. */
export function unwire(link: string): string[] {
  return [`link del ${link}`, `netns del ${link}`];
}

/** Locally administered, and as unique on its link as the address. */
function macOf(address: number, first: number): string {
  return [first, 0x53, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}
