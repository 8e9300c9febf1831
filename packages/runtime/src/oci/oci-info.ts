import type { DriverInfo, GpuDevice, NetworkPolicy } from "@samovar/protocol";
import { plannedControllers, type CgroupPlan } from "../cgroup-detect.ts";

export interface OciAbilities {
  readonly plan: CgroupPlan;
  readonly isRoot: boolean;
  readonly userNamespace: boolean;
  readonly seccomp: boolean;
  readonly networkModes: readonly NetworkPolicy["mode"][];
  /** Sentences of what stands beside: networks, disks. */
  readonly missing: readonly string[];
  readonly diskLimit: boolean;
  readonly gpus: readonly GpuDevice[];
}

/** What the oci driver can do here, and what not, in words for `samovar status`. */
export function toOciInfo(abilities: OciAbilities): DriverInfo {
  const held = plannedControllers(abilities.plan);
  const way = abilities.isRoot
    ? "mount control groups so that the server may write to them"
    : "start the server as root, or with `systemd-run --user --scope -p Delegate=yes`, so that it may use control groups";
  return {
    name: "oci",
    capabilities: {
      isolation: "namespaces",
      ownRoot: true,
      memoryLimit: held.has("memory") ? "enforced" : "watched",
      cpuLimit: held.has("cpu") ? "enforced" : "none",
      processLimit: held.has("pids") ? "enforced" : "none",
      killTree: true,
      networkModes: abilities.networkModes,
      checkpoint: false,
      gpu: abilities.gpus.length > 0,
      diskLimit: abilities.diskLimit ? "enforced" : "none",
      userNamespace: abilities.userNamespace,
      exec: true,
      takeBack: true,
    },
    missing: [
      ...(abilities.userNamespace
        ? []
        : ["Containers have no user namespace: allow them with `sysctl user.max_user_namespaces=10000`, so that their root is nobody on this machine"]),
      ...(abilities.seccomp ? [] : [`No system calls are denied on the architecture ${process.arch}: run the server on x64 or arm64`]),
      ...(held.has("memory") ? [] : [`Memory limits are sampled twice a second, so a container may go over its limit for a moment: ${way}`]),
      ...(held.has("cpu") ? [] : [`CPU limits are not held: ${way}`]),
      ...(held.has("pids") ? [] : [`The number of processes is not limited: ${way}`]),
      ...abilities.missing,
    ],
    gpus: abilities.gpus,
  };
}
