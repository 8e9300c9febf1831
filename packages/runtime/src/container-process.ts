import { dirname } from "node:path";
import type { ContainerFolder } from "./container-folder.ts";
import type { ContainerLimits, ContainerSpec } from "./driver.ts";

export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Below this V8 does not get through loading an app. */
const HEAP_MIN_MIB = 32;
/** The rest is for code, stacks, buffers and V8's young generation, which are not in the old space. */
const HEAP_SHARE = 0.75;

/** The whole environment of a container's processes. `gpus` are the variables that say which GPUs are its own. */
export function toEnvironment(
  spec: ContainerSpec,
  folder: Pick<ContainerFolder, "home" | "tmp">,
  nodePath: string,
  gpus: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    PATH: `${dirname(nodePath)}:${SYSTEM_PATH}`,
    HOME: folder.home,
    TMPDIR: folder.tmp,
    LANG: "C.UTF-8",
    TZ: "UTC",
    ...spec.env,
    ...gpus,
    SAMOVAR_CONTAINER_ID: spec.containerId,
    SAMOVAR_TOKEN: spec.token,
    SAMOVAR_SERVER: spec.serverAddress,
    SAMOVAR_URL: spec.serverUrl,
  };
}

/** Arguments of `node`. The two after the runner's file are for people who read the list of processes. */
export function toArguments(spec: ContainerSpec, nodeArguments: readonly string[], runnerFile: string): string[] {
  // A limit that the user sets is meant: the flag would go before NODE_OPTIONS.
  const heap =
    spec.env["NODE_OPTIONS"]?.includes("max-old-space-size") || spec.env["NODE_OPTIONS"]?.includes("max_old_space_size")
      ? []
      : [`--max-old-space-size=${heapMib(spec.limits)}`];
  return [...heap, ...nodeArguments, runnerFile, spec.functionName, spec.containerId];
}

/**
 * V8 sizes its heap by the machine, not by the limit, and would be killed with its garbage uncollected. Workers
 * share the container's memory and inherit the flag.
 */
export function heapMib(limits: ContainerLimits): number {
  return Math.max(HEAP_MIN_MIB, Math.floor((limits.memoryMib * HEAP_SHARE) / limits.workers));
}
