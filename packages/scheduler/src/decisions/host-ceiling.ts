/** Containers wait more than they compute: so many cores' worth of them are started for each core there is. */
const CPU_OVERCOMMIT = 4;
/** What is left to the server, the page cache and everyone else. */
const MEMORY_SHARE = 0.8;

/** How many containers of this size the host can hold: the ceiling where `maxContainers` is not set. At least one. */
export function hostCeiling(
  host: { readonly memoryMib: number; readonly cpuMillis: number },
  each: { readonly memoryMib: number; readonly cpuMillis: number },
): number {
  return Math.max(1, Math.floor(Math.min((host.memoryMib * MEMORY_SHARE) / each.memoryMib, (host.cpuMillis * CPU_OVERCOMMIT) / each.cpuMillis)));
}
