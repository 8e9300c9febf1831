import { createContainerNetworks, type ContainerNetwork, type ContainerNetworks } from "@samovar/runtime";
import { silentLogger, systemClock } from "@samovar/kit";
import type { NetworkPolicy } from "@samovar/protocol";

/** A server that has nothing but networks, in a process of its own, so that it can be killed. Talks over IPC. */
export type ServerRequest =
  | { readonly do: "open"; readonly home: string; readonly resolvers: readonly string[]; readonly stock?: number; readonly range?: string }
  | { readonly do: "create"; readonly containerId: string; readonly policy: NetworkPolicy }
  | { readonly do: "take-back"; readonly containerId: string }
  | { readonly do: "end"; readonly containerId: string }
  | { readonly do: "clear-stale"; readonly liveIds: readonly string[] }
  | { readonly do: "dispose" };

let networks: ContainerNetworks;
const containers = new Map<string, ContainerNetwork>();

async function serve(request: ServerRequest): Promise<unknown> {
  switch (request.do) {
    case "open":
      networks = await createContainerNetworks({ ...request, resolvers: () => request.resolvers, clock: systemClock, logger: silentLogger });
      return { modes: networks.modes, missing: networks.missing };
    case "create": {
      const began = performance.now();
      const network = await networks.create(request.containerId, request.policy);
      containers.set(request.containerId, network);
      return { netnsPath: network.netnsPath, link: network.link, resolvConf: network.resolvConf, tookMs: performance.now() - began };
    }
    case "take-back": {
      const network = await networks.takeBack(request.containerId);
      if (network) containers.set(request.containerId, network);
      return network !== null;
    }
    case "end":
      return containers.get(request.containerId)!.dispose();
    case "clear-stale":
      return networks.clearStale(new Set(request.liveIds));
    case "dispose":
      return networks.dispose();
  }
}

process.on("message", ({ id, request }: { id: number; request: ServerRequest }) => {
  serve(request).then(
    (result) => process.send!({ id, result }),
    (error: unknown) => process.send!({ id, error: `${(error as { code?: string }).code}: ${(error as Error).message}` }),
  );
});
process.on("disconnect", () => process.exit());
process.send!({ ready: true });
