/** What the number of containers depends on, at one moment. */
export interface Demand {
  readonly queued: number;
  readonly running: number;
  /** An input now, or within the scale-down window: the buffer is kept only then. */
  readonly active: boolean;
}

export interface ScalingOptions {
  readonly minContainers: number;
  readonly maxContainers: number;
  readonly bufferContainers: number;
  /** Demand that one container should answer for. */
  readonly tasksPerContainer: number;
}

/** `clamp(ceil((queued + running) / tasksPerContainer) + (active ? buffer : 0), min, max)`. */
export function desiredContainers(demand: Demand, options: ScalingOptions): number {
  const needed = Math.ceil((demand.queued + demand.running) / options.tasksPerContainer) + (demand.active ? options.bufferContainers : 0);
  return Math.max(options.minContainers, Math.min(options.maxContainers, needed));
}
