import type { DriverInfo, GpuDevice } from "@samovar/protocol";
import { plannedControllers, type CgroupPlan } from "./cgroup-detect.ts";

/** What the process driver can do here, and what not, in words for `samovar status`. */
export function toProcessInfo(plan: CgroupPlan, platform: NodeJS.Platform, switchedOff: boolean, gpus: readonly GpuDevice[]): DriverInfo {
  const held = plannedControllers(plan);
  const isLinux = platform === "linux";
  const way = !isLinux
    ? "run the server on Linux"
    : switchedOff
      ? "leave control groups switched on"
      : "start the server as root, or with `systemd-run --user --scope -p Delegate=yes`, so that it may use control groups";
  return {
    name: "process",
    capabilities: {
      isolation: "none",
      ownRoot: false,
      memoryLimit: held.has("memory") ? "enforced" : "watched",
      cpuLimit: held.has("cpu") ? "enforced" : "none",
      processLimit: held.has("pids") ? "enforced" : "none",
      killTree: isLinux,
      networkModes: ["host"],
      checkpoint: false,
      gpu: gpus.length > 0,
      diskLimit: "none",
      userNamespace: false,
      exec: true,
      takeBack: isLinux,
    },
    missing: [
      "Containers see the host's files and run as the server's user: run only code that you trust",
      "Containers share the host's network and see its processes: run only code that you trust",
      ...(held.has("memory") ? [] : [`Memory limits are sampled twice a second, so a container may go over its limit for a moment: ${way}`]),
      ...(held.has("cpu") ? [] : [`CPU limits are not held: ${way}`]),
      ...(held.has("pids") ? [] : [`The number of processes is not limited: ${way}`]),
      ...(isLinux ? [] : ["Processes that leave their process group outlive their container: run the server on Linux"]),
      ...(isLinux && plan.hierarchies.length === 0
        ? [`Processes that leave their process group, lose their parent and clear their environment outlive their container: ${way}`]
        : []),
    ],
    gpus,
  };
}
