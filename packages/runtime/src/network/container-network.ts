import type { NetworkPolicy } from "@samovar/protocol";
import type { NetworkProbe } from "./network-probe.ts";

/** Networks of containers, for drivers whose containers have network namespaces of their own. */
export interface ContainerNetworks {
  /** What `create` can make here: `isolated` only where the machine has the programs and rights for it. */
  readonly modes: readonly NetworkPolicy["mode"][];
  /** One sentence for each thing that is lacking or in the way, with the command that helps. */
  readonly missing: readonly string[];
  /** What both say, as it was found. */
  readonly probe: NetworkProbe;
  /** Looks at the machine anew: another's firewall may come at any time. */
  lookAgain(): Promise<void>;
  /**
   * Makes the network of one container of the modes `isolated` and `none`; it is to be disposed after the container's
   * last process has ended. Rejects with a SamovarError, and leaves nothing behind then.
   */
  create(containerId: string, policy: NetworkPolicy): Promise<ContainerNetwork>;
  /**
   * Goes on with the network of a container that an earlier server of the same home has made: it may reach what it could, and
   * has answers for names again. Null where the container has no network of its own with a way out.
   */
  takeBack(containerId: string): Promise<ContainerNetwork | null>;
  /**
   * Removes what an earlier server of the same home left, but for the networks of `liveIds`: those keep what they may
   * reach, without new answers for names until they are taken back. May be called again when fewer live.
   */
  clearStale(liveIds: ReadonlySet<string>): Promise<void>;
  /** Removes all networks, also those not disposed, and takes back what was changed on the host. Idempotent. */
  dispose(): Promise<void>;
}

export interface ContainerNetwork {
  /**
   * The network namespace, as `path` of an OCI configuration takes it, good in every mount namespace of the host; null: a
   * new one that the runtime makes.
   */
  readonly netnsPath: string | null;
  /** What its link is called on the host, and its namespace for `ip netns`; null without them. */
  readonly link: string | null;
  /** A file to stand at /etc/resolv.conf; null: the host's own. */
  readonly resolvConf: string | null;
  /** Idempotent. */
  dispose(): Promise<void>;
}
