import type { Clock, Logger } from "@samovar/kit";
import { signal } from "./container-ending.ts";
import { familyOf, readProcessTable, type ProcessEntry } from "./process-table.ts";

/** Short enough that a leak is found within some ten MiB, long enough to cost about 1 % of a core. */
const SAMPLE_MS = 500;

export interface WatchedContainer {
  readonly pid: number;
  readonly containerId: string;
  readonly limitBytes: number;
  /** It is over its limit: its largest process is ended, as the kernel would. */
  onKill(): void;
}

/**
 * Holds memory limits where no control group does. This is the one place that samples instead of waiting for an
 * event: the kernel pushes nothing about the memory of a process. One look at the process table serves all
 * containers, and there is none while nothing is watched.
 *
 * States: idle (nothing watched) → waiting (a timer is set) → looking (reading the table) → waiting or idle.
 */
export class MemoryWatch {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #watched = new Set<WatchedContainer>();
  #cancelTimer: (() => void) | null = null;
  #looking = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Returns what ends the watch. */
  add(container: WatchedContainer): () => void {
    this.#watched.add(container);
    this.#arm();
    return () => {
      this.#watched.delete(container);
      if (this.#watched.size > 0) return;
      this.#cancelTimer?.();
      this.#cancelTimer = null;
    };
  }

  #arm(): void {
    if (this.#watched.size === 0 || this.#cancelTimer || this.#looking) return;
    this.#cancelTimer = this.#clock.after(SAMPLE_MS, () => {
      this.#cancelTimer = null;
      void this.#look();
    });
  }

  #end(container: WatchedContainer, { pid, memoryBytes }: ProcessEntry): void {
    container.onKill();
    this.#logger.info({ containerId: container.containerId, pid, memoryBytes }, "A process is ended: its container is over its memory limit");
    signal(pid);
  }

  async #look(): Promise<void> {
    this.#looking = true;
    try {
      const table = await readProcessTable();
      for (const container of this.#watched) {
        const family = familyOf(table, container.pid);
        const usedBytes = family.reduce((sum, entry) => sum + entry.memoryBytes, 0);
        const largest = family.reduce<ProcessEntry | null>((best, entry) => (best === null || entry.memoryBytes > best.memoryBytes ? entry : best), null);
        if (largest && usedBytes > container.limitBytes) this.#end(container, largest);
      }
    } catch (error) {
      this.#logger.warn({ error }, "The process table can't be read: memory limits are not held this time");
    } finally {
      this.#looking = false;
      this.#arm();
    }
  }
}
