import { disposeAll, type Clock, type Logger } from "@samovar/kit";
import { formatIpv4, SamovarError } from "@samovar/protocol";
import { gatewayOf } from "./address-block.ts";
import { toAllowList } from "./allow-list.ts";
import type { ContainerNetwork } from "./container-network.ts";
import { toDnsClient } from "./dns-client.ts";
import { DnsForwarder } from "./dns-forwarder.ts";
import { closeRules, moveResolverRules, removeSourceRules } from "./firewall-rules.ts";
import { Grants } from "./grants.ts";
import { readContainer, readInstance, removeContainer, resolvConfFile, writeInstance } from "./instance-files.ts";
import type { Kernel } from "./kernel.ts";

export interface TakenInstanceOptions {
  readonly home: string;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resolvers?: () => readonly string[];
}

/**
 * An instance that a dead server of this home made, for those of its containers that were taken back: they keep their links, addresses and
 * rules, and have a name server again. New containers get none of it; when the last one has ended it goes as what any
 * dead server left.
 *
 * States: open → disposed.
 */
export class TakenInstance {
  readonly #options: TakenInstanceOptions;
  readonly #name: string;
  readonly #forwarder: DnsForwarder;

  private constructor(options: TakenInstanceOptions, name: string, forwarder: DnsForwarder) {
    this.#options = options;
    this.#name = name;
    this.#forwarder = forwarder;
  }

  static async open(options: TakenInstanceOptions, name: string): Promise<TakenInstance> {
    const { home, kernel, clock, logger, resolvers } = options;
    const forwarder = new DnsForwarder({ clock, logger, ...(resolvers ? { resolvers } : {}) });
    try {
      const facts = await readInstance(home, name);
      // On the same ports, where these are free: what the kernel knows of connections to them stays right.
      const ports = await forwarder.listen(formatIpv4(gatewayOf(facts.block)), facts);
      // Also where the ports are the same: a server may have been killed between one and the other.
      await writeInstance(home, name, { block: facts.block, ...ports });
      await kernel.rules(moveResolverRules({ instance: name, block: facts.block, dnsUdpPort: ports.udpPort, dnsTcpPort: ports.tcpPort }));
      return new TakenInstance(options, name, forwarder);
    } catch (error) {
      forwarder.dispose();
      throw new SamovarError("start_failed", `The network of containers of an earlier server can't be taken back: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async takeBack(containerId: string): Promise<ContainerNetwork> {
    const { home, kernel, clock, logger } = this.#options;
    const instance = this.#name;
    const { allow, ...place } = await readContainer(home, instance, containerId);
    const list = toAllowList(allow);
    this.#forwarder.add(place.address, toDnsClient({ instance, index: place.index, containerId, list, grants: new Grants({ others: true }), kernel, clock }));
    let disposing: Promise<void> | null = null;
    return {
      netnsPath: null,
      link: place.link,
      resolvConf: resolvConfFile(home, instance),
      dispose: () =>
        (disposing ??= disposeAll([
          () => this.#forwarder.remove(place.address),
          // They do no harm: nobody gets this place again, and the table goes with its last container.
          () =>
            kernel
              .rules(closeRules(instance, place, list) + removeSourceRules(instance, place))
              .catch((error: unknown) => logger.warn({ containerId, error }, "The rules of a container's network can't be removed")),
          () => kernel.unwire([place.link]),
          () => removeContainer(home, instance, containerId),
        ])),
    };
  }

  /** Names are answered no more. */
  dispose(): void {
    this.#forwarder.dispose();
  }
}
