import type { GpuDevice } from "@samovar/protocol";
import { countThatFit, pickGpus, usableGpus, type Room, type RoomNeed } from "./room.ts";

/** Containers of the others, by what they do. */
export interface Tally {
  readonly busy: number;
  readonly starting: number;
  /** Idle, and kept by a floor. */
  readonly kept: number;
  /** Idle, or told to go: their room comes. */
  readonly leaving: number;
}

/** Why a container of this size could never run on a host with so much room; null when it could. */
export function describeImpossible(need: RoomNeed, host: Room): string | null {
  if (countThatFit(need, host) > 0) return null;
  const parts: string[] = [];
  if (need.memoryMib > host.memoryMib) parts.push(`needs ${need.memoryMib} MiB of memory, this host has ${host.memoryMib} MiB for containers`);
  if (need.cpuMillis > host.cpuMillis) parts.push(`needs ${cores(need.cpuMillis)}, this host counts ${cores(host.cpuMillis)}`);
  if (!pickGpus(need, host.gpus)) parts.push(`needs ${gpus(need)}, this host has ${inventory(host.gpus)}`);
  return parts.join("; ");
}

/** What a container waits for while the host has no room for it. */
export function describeFull(need: RoomNeed, free: Room, host: Room, own: Tally, others: Tally): string {
  const parts: string[] = [];
  if (need.memoryMib > free.memoryMib) parts.push(`needs ${need.memoryMib} MiB of memory, ${free.memoryMib} of ${host.memoryMib} MiB are free`);
  if (need.cpuMillis > free.cpuMillis) {
    parts.push(`needs ${cores(need.cpuMillis)}, ${free.cpuMillis / 1_000} of ${host.cpuMillis / 1_000} (as many as this host counts) are free`);
  }
  if (!pickGpus(need, free.gpus)) {
    parts.push(`needs ${gpus(need)}, ${usableGpus(need, free.gpus).length} of ${usableGpus(need, host.gpus).length} are free`);
  }
  // There is room, but not its own: whoever waited longer has it.
  if (parts.length === 0) parts.push("what is free is kept for a function that waits longer");
  return `the host is full: ${[parts.join(" and "), ...describeTally(own, "its own"), ...describeTally(others, "other functions")].join("; ")}`;
}

function describeTally(tally: Tally, whose: string): string[] {
  const told = (count: number, one: string, more: string): string[] =>
    count === 0 ? [] : [`${count} ${count === 1 ? "container" : "containers"} of ${whose} ${count === 1 ? one : more}`];
  return [
    ...told(tally.busy, "is busy", "are busy"),
    ...told(tally.starting, "is starting", "are starting"),
    ...told(tally.kept, "is kept by minContainers", "are kept by minContainers"),
    ...told(tally.leaving, "makes room", "make room"),
  ];
}

const cores = (millis: number): string => `${millis / 1_000} ${millis === 1_000 ? "core" : "cores"}`;

function gpus(need: RoomNeed): string {
  const count = `${need.gpuCount} ${need.gpuCount === 1 ? "GPU" : "GPUs"}`;
  return need.gpu.some((name) => name.toLowerCase() === "any") ? count : `${count} (${need.gpu.join(" or ")})`;
}

function inventory(devices: readonly GpuDevice[]): string {
  if (devices.length === 0) return "none";
  return [...Map.groupBy(devices, (device) => device.name)].map(([name, group]) => `${group.length} ${name}`).join(", ");
}
