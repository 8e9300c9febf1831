import type { ContainerCgroup } from "./container-cgroup.ts";
import type { ContainerStats } from "./driver.ts";
import { readProcessTable } from "./process-table.ts";

/** What the processes of a container have used, from its control group where that counts it, else from their own entries. */
export async function readContainerStats(cgroup: ContainerCgroup | null, listPids: () => Promise<readonly number[]>): Promise<ContainerStats> {
  const [pids, memoryBytes, cpuMs] = await Promise.all([listPids(), cgroup?.memoryBytes() ?? null, cgroup?.cpuMs() ?? null]);
  if (memoryBytes !== null && cpuMs !== null) return { memoryBytes, cpuMs, processes: pids.length };
  const table = await readProcessTable();
  const entries = pids.flatMap((pid) => table.get(pid) ?? []);
  return {
    memoryBytes: memoryBytes ?? entries.reduce((sum, entry) => sum + entry.memoryBytes, 0),
    cpuMs: cpuMs ?? entries.reduce((sum, entry) => sum + entry.cpuMs, 0),
    processes: pids.length,
  };
}
