import type { Clock } from "@samovar/kit";
import type { AllowList } from "./allow-list.ts";
import type { DnsClient } from "./dns-forwarder.ts";
import { grantRules } from "./firewall-rules.ts";
import type { Grants } from "./grants.ts";
import type { Kernel } from "./kernel.ts";

export interface DnsClientOptions {
  readonly instance: string;
  readonly index: number;
  readonly containerId: string;
  readonly list: AllowList;
  readonly grants: Grants;
  readonly kernel: Kernel;
  readonly clock: Clock;
}

/** A container to its name server: answers open their addresses in the instance's firewall. */
export function toDnsClient({ instance, index, containerId, list, grants, kernel, clock }: DnsClientOptions): DnsClient {
  return {
    containerId,
    list,
    grant: async (addresses, ttlS) => {
      const wanted = grants.plan(addresses, ttlS, clock.monotonic());
      if (wanted.length === 0) return;
      if (!grants.hasRoomFor(wanted)) throw new Error("The container has too many addresses open");
      await kernel.rules(grantRules(instance, index, wanted));
      grants.made(wanted, clock.monotonic());
    },
  };
}
