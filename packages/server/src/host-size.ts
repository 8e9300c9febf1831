import { availableParallelism, totalmem } from "node:os";
import type { GpuDevice } from "@samovar/protocol";
import type { HostSize } from "@samovar/scheduler";

const MIB = 1024 * 1024;

/** What this machine has, or what it lets this process have of it. */
export function hostSize(gpus: readonly GpuDevice[]): HostSize {
  // 0 where nothing limits it.
  const memoryBytes = Math.min(totalmem(), process.constrainedMemory() || Infinity);
  return { memoryMib: memoryBytes / MIB, cpuMillis: availableParallelism() * 1_000, gpus };
}
