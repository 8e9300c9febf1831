import { rm, writeFile } from "node:fs/promises";
import { disposeAll, makeFolders, type Clock, type Logger } from "@samovar/kit";
import { formatIpv4, formatIpv4Range, SamovarError, type Ipv4Range, type NetworkPolicy } from "@samovar/protocol";
import { gatewayOf, listFreeBlocks, listTaken } from "./address-block.ts";
import { toAllowList } from "./allow-list.ts";
import { parseList, runCommand } from "./commands.ts";
import type { ContainerNetwork } from "./container-network.ts";
import { toDnsClient } from "./dns-client.ts";
import { DnsForwarder } from "./dns-forwarder.ts";
import { removeTableRules, tableRules } from "./firewall-rules.ts";
import { Grants } from "./grants.ts";
import { containersFolder, instanceFolder, removeContainer, resolvConfFile, writeContainer, writeInstance } from "./instance-files.ts";
import { chooseInstance, gatewayLink, homePrefix, homeSeed, instanceOf } from "./instance-name.ts";
import { turnForwardingOn } from "./ip-forwarding.ts";
import type { Kernel } from "./kernel.ts";
import { takeForwardingBackIfLast } from "./leftovers.ts";
import { Slots } from "./slots.ts";

export interface InstanceOptions {
  readonly home: string;
  readonly range: Ipv4Range;
  readonly stock: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly kernel: Kernel;
  readonly resolvers?: () => readonly string[];
}

/**
 * All that one server has on the host for its isolated containers: a gateway with an address, a block of addresses, a
 * table of the firewall, the name server, and the containers' slots. Made when the first isolated container is.
 *
 * States: open → disposed.
 */
export class Instance {
  readonly #options: InstanceOptions;
  readonly name: string;
  readonly #forwarder: DnsForwarder;
  readonly #slots: Slots;
  #disposing: Promise<void> | null = null;

  private constructor(options: InstanceOptions, name: string, forwarder: DnsForwarder, slots: Slots) {
    this.#options = options;
    this.name = name;
    this.#forwarder = forwarder;
    this.#slots = slots;
  }

  static async open(options: InstanceOptions): Promise<Instance> {
    const { kernel, home } = options;
    const [routes, links] = await Promise.all([
      runCommand("ip", ["-json", "route", "show", "table", "all"]).then(parseList),
      runCommand("ip", ["-json", "addr", "show"]).then(parseList),
    ]);
    const prefix = homePrefix(home);
    const name = chooseInstance(prefix, namesOf(links, prefix), process.pid);
    const forwarder = new DnsForwarder({ clock: options.clock, logger: options.logger, ...(options.resolvers ? { resolvers: options.resolvers } : {}) });
    try {
      const block = await reserveBlock(kernel, name, listFreeBlocks(options.range, listTaken(routes, links), homeSeed(home)));
      const gateway = formatIpv4(gatewayOf(block));
      const { udpPort, tcpPort } = await forwarder.listen(gateway);
      await kernel.rules(tableRules({ instance: name, block, dnsUdpPort: udpPort, dnsTcpPort: tcpPort }));
      await turnForwardingOn();
      makeFolders(containersFolder(home, name), 0o755);
      await Promise.all([writeFile(resolvConfFile(home, name), `nameserver ${gateway}\n`), writeInstance(home, name, { block, udpPort, tcpPort })]);
      const slots = new Slots({
        instance: name,
        block,
        mtu: uplinkMtu(routes, links),
        stock: options.stock,
        kernel,
        clock: options.clock,
        logger: options.logger,
      });
      return new Instance(options, name, forwarder, slots);
    } catch (error) {
      forwarder.dispose();
      await removeInstance(kernel, home, name);
      throw new SamovarError("start_failed", `The network for isolated containers can't be made: ${(error as Error).message}`, { cause: error });
    }
  }

  async create(containerId: string, policy: NetworkPolicy): Promise<ContainerNetwork> {
    const { home, kernel, clock, logger } = this.#options;
    const list = toAllowList(policy.allow);
    if (list.ipv6.length > 0) logger.warn({ containerId, ranges: list.ipv6 }, "IPv6 ranges of an allow list open nothing: isolated containers have IPv4 only");
    const slot = await this.#slots.take(list, JSON.stringify(policy.allow));
    let disposing: Promise<void> | null = null;
    const dispose = (): Promise<void> =>
      (disposing ??= disposeAll([
        () => this.#forwarder.remove(slot.address),
        () => this.#slots.release(slot),
        () => removeContainer(home, this.name, containerId),
      ]));
    const { index, address, link } = slot;
    try {
      await writeContainer(home, this.name, containerId, { index, address, link, allow: policy.allow });
    } catch (error) {
      await dispose().catch((failure: unknown) => logger.warn({ containerId, error: failure }, "A container's network can't be removed"));
      throw error;
    }
    this.#forwarder.add(address, toDnsClient({ instance: this.name, index, containerId, list, grants: new Grants(), kernel, clock }));
    return { netnsPath: `/proc/${process.pid}/fd/${slot.netns.fd}`, link, resolvConf: resolvConfFile(home, this.name), dispose };
  }

  dispose(): Promise<void> {
    const { kernel, home } = this.#options;
    this.#disposing ??= disposeAll([
      () => this.#forwarder.dispose(),
      // Rules last: until its links are gone they hold what a container may do.
      () => this.#slots.dispose(),
      () => removeInstance(kernel, home, this.name),
    ]);
    return this.#disposing;
  }
}

/** The address of the gateway on a link of its own, and the block's route, which makes it this server's: a second one with the same block fails. */
async function reserveBlock(kernel: Kernel, name: string, blocks: readonly Ipv4Range[]): Promise<Ipv4Range> {
  const link = gatewayLink(name);
  await kernel.link([`link add ${link} type bridge`, `link set ${link} addrgenmode none`, `link set ${link} up`]);
  let problem = "its range has no block that no route or address of this host meets";
  for (const block of blocks) {
    try {
      await kernel.link([`route add ${formatIpv4Range(block)} dev ${link}`]);
      await kernel.link([`addr add ${formatIpv4(gatewayOf(block))}/32 dev ${link}`]);
      return block;
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  throw new Error(problem);
}

/** What an instance has on the host besides its slots. */
async function removeInstance(kernel: Kernel, home: string, name: string): Promise<void> {
  await disposeAll([
    () => kernel.rules(removeTableRules(name)).catch(() => {}),
    () => kernel.unwire([gatewayLink(name)]).catch(() => {}),
    () => rm(instanceFolder(home, name), { recursive: true, force: true }),
    () => takeForwardingBackIfLast(),
  ]);
}

function namesOf(links: readonly unknown[], prefix: string): Set<string> {
  return new Set(links.flatMap((link) => instanceOf(String((link as { ifname?: unknown }).ifname), prefix) ?? []));
}

/** Of the links that default routes use: a packet that fits the container's link then fits the way out. */
function uplinkMtu(routes: readonly unknown[], links: readonly unknown[]): number {
  const uplinks = new Set(routes.filter((route) => (route as { dst?: unknown }).dst === "default").map((route) => (route as { dev?: unknown }).dev));
  const mtus = links.flatMap((link) => {
    const { ifname, mtu } = link as { ifname?: unknown; mtu?: unknown };
    return uplinks.has(ifname) && typeof mtu === "number" ? mtu : [];
  });
  return Math.max(576, Math.min(1_500, ...mtus));
}
