import type { ContainerCgroup } from "./container-cgroup.ts";
import { HeapExhaustion } from "./heap-exhaustion.ts";

/** How many processes of one container ended for want of memory: by the kernel, by V8 or by the watch. */
export class OomCount {
  readonly heap = new HeapExhaustion();
  /** Resolves to null where no group counts. */
  readonly #placed: Promise<ContainerCgroup | null>;
  /** What the group counted when it was last asked: it can't be asked when it is gone. */
  #kernelKills = 0;
  #watchKills = 0;
  #told = 0;
  #closed = false;

  constructor(placed: Promise<ContainerCgroup | null>) {
    this.#placed = placed;
  }

  /** Those of before were told, or were nobody's to tell. */
  async countFromNow(): Promise<void> {
    this.#told = await this.kills();
  }

  watchKilled(): void {
    this.#watchKills++;
  }

  /** Without those by V8, which are told by the signal it ends with. */
  async kills(): Promise<number> {
    const cgroup = await this.#placed;
    if (!this.#closed && cgroup) this.#kernelKills = Math.max(this.#kernelKills, await cgroup.oomKills());
    return this.#kernelKills + this.#watchKills;
  }

  /** Whether there were more since the last call. */
  async rose(): Promise<boolean> {
    const count = (await this.kills()) + this.heap.count;
    const rose = count > this.#told;
    this.#told = count;
    return rose;
  }

  /** Takes the last count, before the group goes. */
  async close(): Promise<void> {
    await this.kills();
    this.#closed = true;
  }
}
