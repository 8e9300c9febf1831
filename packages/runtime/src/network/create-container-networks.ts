import { readdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { disposeAll, makeFolders, type Clock, type Logger } from "@samovar/kit";
import { describeAllowProblem, MAX_ALLOW_ENTRIES, parseAllowEntry, SamovarError, type Ipv4Range, type NetworkPolicy } from "@samovar/protocol";
import { DEFAULT_RANGE } from "./address-block.ts";
import type { ContainerNetwork, ContainerNetworks } from "./container-network.ts";
import { Instance } from "./instance.ts";
import { listContainers } from "./instance-files.ts";
import { homePrefix, instanceOf } from "./instance-name.ts";
import { createKernel } from "./kernel.ts";
import { removeLeftovers } from "./leftovers.ts";
import { TakenInstance } from "./taken-instance.ts";
import { probeNetwork, type NetworkProbe } from "./network-probe.ts";

export interface ContainerNetworksOptions {
  /** A folder of its own; it names what is made on the host, so that two servers' things are told apart. */
  readonly home: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where the addresses of isolated containers come from: a server takes a /20 of it. Default 198.18.0.0/15. */
  readonly range?: string;
  /** Namespaces that are kept ready, from the first isolated container on. Default 4. */
  readonly stock?: number;
  /** The resolvers that names are asked of. Default: the host's. */
  readonly resolvers?: () => readonly string[];
  /** What the machine has. Default: looked at. */
  readonly probe?: NetworkProbe;
}

const DEFAULT_STOCK = 4;
/** Ids become file names. */
const SAFE_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

/** Looks at what the machine can do. Nothing of the host is changed before the first isolated container. */
export async function createContainerNetworks(options: ContainerNetworksOptions): Promise<ContainerNetworks> {
  makeFolders(options.home, 0o755);
  const home = await realpath(options.home);
  const noNames = join(home, "no-names.resolv.conf");
  const [probe] = await Promise.all([options.probe ?? probeNetwork(), writeFile(noNames, "# This container has no network\n")]);
  return new Networks({ ...options, home }, noNames, probe);
}

/** States: closed → open, with the first isolated container → disposed. */
class Networks implements ContainerNetworks {
  readonly #options: ContainerNetworksOptions;
  readonly #noNames: string;
  readonly #kernel = createKernel();
  #probe: NetworkProbe;
  #instance: Promise<Instance> | null = null;
  /** Of dead servers, by name. */
  readonly #taken = new Map<string, Promise<TakenInstance>>();
  /** What is made meanwhile would look like a leftover, too. */
  #clearing: Promise<void> = Promise.resolve();
  #disposing: Promise<void> | null = null;

  constructor(options: ContainerNetworksOptions, noNames: string, probe: NetworkProbe) {
    this.#probe = probe;
    this.#options = options;
    this.#noNames = noNames;
  }

  get modes(): readonly NetworkPolicy["mode"][] {
    return this.#probe.problem === null ? ["host", "isolated", "none"] : ["host", "none"];
  }

  get missing(): readonly string[] {
    return this.#probe.problem === null ? this.#probe.warnings : [this.#probe.problem];
  }

  get probe(): NetworkProbe {
    return this.#probe;
  }

  async lookAgain(): Promise<void> {
    this.#probe = await probeNetwork();
  }

  async create(containerId: string, policy: NetworkPolicy): Promise<ContainerNetwork> {
    if (this.#disposing) throw new SamovarError("shutting_down", "No network is made any more: the driver was disposed");
    if (!SAFE_ID.test(containerId)) throw new SamovarError("internal", `A container's id must do as a file name, but is ${JSON.stringify(containerId)}`);
    if (policy.mode === "none") return { netnsPath: null, link: null, resolvConf: this.#noNames, dispose: async () => {} };
    if (policy.mode === "host") throw new SamovarError("internal", "A container with the network mode host has no network of its own");
    if (!this.modes.includes("isolated")) throw new SamovarError("unsupported", this.missing[0]!);
    const problem =
      policy.allow.length > MAX_ALLOW_ENTRIES ? `It has ${policy.allow.length} entries: at most ${MAX_ALLOW_ENTRIES} are read` : firstProblem(policy.allow);
    if (problem !== undefined) throw new SamovarError("invalid_option", `network.allow has a mistake. ${problem}`);
    return (await this.#open()).create(containerId, policy);
  }

  async takeBack(containerId: string): Promise<ContainerNetwork | null> {
    await this.#clearing;
    if (this.#disposing) throw new SamovarError("shutting_down", "No network is taken back any more: the driver was disposed");
    const name = await this.#foreignInstanceOf(containerId);
    if (name === null) return null;
    let opening = this.#taken.get(name);
    if (!opening) {
      this.#taken.set(name, (opening = TakenInstance.open({ ...this.#options, kernel: this.#kernel }, name)));
      // The next container tries anew.
      opening.catch(() => this.#taken.delete(name));
    }
    return (await opening).takeBack(containerId);
  }

  async clearStale(liveIds: ReadonlySet<string>): Promise<void> {
    const { home } = this.#options;
    const opening = this.#instance;
    const cleared = this.#clearing.then(async () => {
      for (const name of this.#taken.keys()) if (!(await listContainers(home, name)).some((id) => liveIds.has(id))) await this.#letGo(name);
      const instance = await opening?.catch(() => null);
      await removeLeftovers({ home, prefix: homePrefix(home), own: instance?.name ?? null, liveIds, kernel: this.#kernel });
    });
    this.#clearing = cleared.catch(() => {});
    await cleared;
  }

  dispose(): Promise<void> {
    this.#disposing ??= (async () => {
      await this.#clearing;
      const instance = await this.#instance?.catch(() => null);
      await disposeAll([...[...this.#taken.keys()].map((name) => () => this.#letGo(name)), () => instance?.dispose()]);
    })();
    return this.#disposing;
  }

  async #letGo(name: string): Promise<void> {
    const instance = await this.#taken.get(name)?.catch(() => null);
    this.#taken.delete(name);
    instance?.dispose();
  }

  async #foreignInstanceOf(containerId: string): Promise<string | null> {
    const { home } = this.#options;
    const own = (await this.#instance?.catch(() => null))?.name;
    const prefix = homePrefix(home);
    for (const name of await readdir(home)) {
      if (name !== own && instanceOf(name, prefix) === name && (await listContainers(home, name)).includes(containerId)) return name;
    }
    return null;
  }

  #open(): Promise<Instance> {
    const { home, clock, logger, range = DEFAULT_RANGE, stock = DEFAULT_STOCK, resolvers } = this.#options;
    this.#instance ??= this.#clearing
      .then(() =>
        Instance.open({
          home,
          range: parseAllowEntry(range) as Ipv4Range,
          stock,
          clock,
          logger,
          kernel: this.#kernel,
          ...(resolvers ? { resolvers } : {}),
        }),
      )
      .catch((error: unknown) => {
        // The next container tries anew.
        this.#instance = null;
        throw error;
      });
    return this.#instance;
  }
}

function firstProblem(allow: readonly string[]): string | undefined {
  for (const entry of allow) {
    const problem = describeAllowProblem(entry);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
