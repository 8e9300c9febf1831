import { matchesGpu, type FunctionOptions, type GpuDevice } from "@samovar/protocol";

/** Containers wait more than they compute: so many cores' worth of them are started for each core there is. */
const CPU_OVERCOMMIT = 4;
/** What is left to the server, the page cache and everyone else. */
const MEMORY_SHARE = 0.8;

/** What a host is. */
export interface HostSize {
  readonly memoryMib: number;
  readonly cpuMillis: number;
  readonly gpus: readonly GpuDevice[];
}

/** Room for containers: all of a host's, or what is left of it. Negative where more is promised than there is. */
export interface Room {
  readonly memoryMib: number;
  readonly cpuMillis: number;
  readonly gpus: readonly GpuDevice[];
}

/** What one container is counted for: its requests, and its GPUs, which are its own. */
export interface RoomNeed {
  readonly memoryMib: number;
  readonly cpuMillis: number;
  /** In order of preference; `any` is every name. */
  readonly gpu: readonly string[];
  readonly gpuCount: number;
}

export function roomOfHost(host: HostSize): Room {
  return { memoryMib: Math.floor(host.memoryMib * MEMORY_SHARE), cpuMillis: host.cpuMillis * CPU_OVERCOMMIT, gpus: host.gpus };
}

export function needOf(options: FunctionOptions): RoomNeed {
  return { memoryMib: options.memoryRequestMib, cpuMillis: options.cpuRequestMillis, gpu: options.gpu, gpuCount: options.gpuCount };
}

/**
 * The devices that a container would get: of the first of its names that has enough free ones. `any` takes from the
 * name with the fewest that suffice, and mixes names only where none has enough. Null when it must wait.
 */
export function pickGpus(need: RoomNeed, free: readonly GpuDevice[]): readonly GpuDevice[] | null {
  if (need.gpuCount === 0) return [];
  for (const name of need.gpu) {
    const matching = free.filter((device) => isNamed(device, name));
    if (matching.length < need.gpuCount) continue;
    const groups = Map.groupBy(matching, (device) => device.name.toLowerCase());
    const smallest = [...groups.values()].filter((group) => group.length >= need.gpuCount).sort((a, b) => a.length - b.length)[0];
    return (smallest ?? matching).slice(0, need.gpuCount);
  }
  return null;
}

/** Of these devices, those that a container could use. */
export function usableGpus(need: RoomNeed, devices: readonly GpuDevice[]): readonly GpuDevice[] {
  return devices.filter((device) => need.gpu.some((name) => isNamed(device, name)));
}

export function fits(need: RoomNeed, room: Room): boolean {
  return need.memoryMib <= room.memoryMib && need.cpuMillis <= room.cpuMillis && pickGpus(need, room.gpus) !== null;
}

/** What is left when this is set aside, whether or not there is enough: of GPUs that it could use as many as it needs, or all. */
export function without(room: Room, need: RoomNeed): Room {
  const gpus = pickGpus(need, room.gpus) ?? usableGpus(need, room.gpus).slice(0, need.gpuCount);
  return withoutRoom(room, { memoryMib: need.memoryMib, cpuMillis: need.cpuMillis, gpus });
}

/** With the room that containers will leave. */
export function withRoomOf(room: Room, leaving: readonly Room[]): Room {
  let { memoryMib, cpuMillis } = room;
  const gpus = [...room.gpus];
  for (const one of leaving) {
    memoryMib += one.memoryMib;
    cpuMillis += one.cpuMillis;
    gpus.push(...one.gpus);
  }
  return { memoryMib, cpuMillis, gpus };
}

/** When this was given to a container. */
export function withoutRoom(room: Room, given: Room): Room {
  return {
    memoryMib: room.memoryMib - given.memoryMib,
    cpuMillis: room.cpuMillis - given.cpuMillis,
    gpus: given.gpus.length === 0 ? room.gpus : room.gpus.filter((device) => !given.gpus.includes(device)),
  };
}

/** How many containers of this size a host can hold when it holds no others; 0 when not even one. */
export function countThatFit(need: RoomNeed, host: Room): number {
  let count = Math.min(host.memoryMib / need.memoryMib, host.cpuMillis / need.cpuMillis);
  if (need.gpuCount > 0) {
    let gpus = host.gpus;
    let placed = 0;
    for (let picked = pickGpus(need, gpus); picked; picked = pickGpus(need, gpus)) {
      const taken = picked;
      gpus = gpus.filter((device) => !taken.includes(device));
      placed++;
    }
    count = Math.min(count, placed);
  }
  return Math.floor(count);
}

const isNamed = (device: GpuDevice, name: string): boolean => matchesGpu(name, device.name);
