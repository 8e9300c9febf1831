import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CgroupHierarchy, Controller } from "./cgroup-detect.ts";
import type { ContainerLimits } from "./driver.ts";

const CPU_PERIOD_US = 100_000;
/** The kernel's own smallest quota. */
const CPU_QUOTA_MIN_US = 1_000;
/** Pauses for a group to become empty double up to this. */
const LAST_PAUSE_MS = 256;

/** A container's group in one tree. */
export interface CgroupPlace extends CgroupHierarchy {
  readonly dir: string;
}

/** One container's folder in every tree. `make` → `place` → … → `remove`; everything else is valid in between. */
export class ContainerCgroup {
  readonly #groups: readonly CgroupPlace[];
  readonly #enqueue: <T>(move: () => Promise<T>) => Promise<T>;

  /** `enqueue` may be left out for a group into which its processes have been moved already. */
  constructor(groups: readonly CgroupPlace[], enqueue: <T>(move: () => Promise<T>) => Promise<T> = (move) => move()) {
    this.#groups = groups;
    this.#enqueue = enqueue;
  }

  async make(limits: ContainerLimits): Promise<void> {
    await Promise.all(
      this.#groups.map(async (group) => {
        await mkdir(group.dir);
        for (const [file, value] of limitWrites(group, limits)) await writeLimit(join(group.dir, file), value);
      }),
    );
  }

  /** Moves a process, and all it starts from now on. Memory it already holds stays charged where it was. */
  async place(pid: number): Promise<void> {
    await this.#enqueue(async () => {
      for (const group of this.#groups) await writeFile(join(group.dir, "cgroup.procs"), String(pid));
    });
  }

  /** What a process writes itself to in order to move here. */
  get procsFiles(): readonly string[] {
    return this.#groups.map((group) => join(group.dir, "cgroup.procs"));
  }

  get places(): readonly CgroupPlace[] {
    return this.#groups;
  }

  /** Whether the kernel holds the memory limit here. */
  get limitsMemory(): boolean {
    return this.#with("memory") !== undefined;
  }

  async pids(): Promise<number[]> {
    const lists = await Promise.all(this.#groups.map((group) => readText(join(group.dir, "cgroup.procs"))));
    return [...new Set(lists.flatMap((text) => text.split("\n").filter(Boolean).map(Number)))].filter((pid) => pid > 0);
  }

  /** Sends SIGKILL to every process, at once where the kernel can; returns how many there were. */
  async signalAll(): Promise<number> {
    for (const group of this.#groups) {
      // cgroup.kill also ends what is being forked at this moment. Kernels before 5.14 lack it.
      if (group.version === 2) await writeFile(join(group.dir, "cgroup.kill"), "1").catch(() => {});
    }
    const pids = await this.pids();
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone meanwhile.
      }
    }
    return pids.length;
  }

  /** How many processes the kernel ended here for want of memory; 0 without the memory controller. */
  async oomKills(): Promise<number> {
    const group = this.#with("memory");
    if (!group) return 0;
    return field(await readText(join(group.dir, group.version === 2 ? "memory.events" : "memory.oom_control")), "oom_kill");
  }

  /** Without what the kernel can drop at any time: page cache that nobody used of late. Null without the controller. */
  async memoryBytes(): Promise<number | null> {
    const group = this.#with("memory");
    if (!group) return null;
    const [used, stat] = await Promise.all([
      readText(join(group.dir, group.version === 2 ? "memory.current" : "memory.usage_in_bytes")),
      readText(join(group.dir, "memory.stat")),
    ]);
    return Math.max(0, Number(used) - field(stat, group.version === 2 ? "inactive_file" : "total_inactive_file"));
  }

  /** Processor time of all processes, ended ones included. Null where no tree counts it: v1 without a v2 tree beside it. */
  async cpuMs(): Promise<number | null> {
    const group = this.#groups.find((candidate) => candidate.version === 2);
    return group ? field(await readText(join(group.dir, "cpu.stat")), "usage_usec") / 1_000 : null;
  }

  async remove(): Promise<void> {
    await Promise.all(this.#groups.map((group) => removeEmpty(group.dir)));
  }

  #with(controller: Controller): CgroupPlace | undefined {
    return this.#groups.find((group) => group.controllers.includes(controller));
  }
}

/** Files and values in the order in which they must be written: v1 refuses a memory+swap limit below the memory limit. */
export function limitWrites(hierarchy: CgroupHierarchy, limits: ContainerLimits): [file: string, value: string][] {
  const memory = String(limits.memoryMib * 1024 * 1024);
  const quota = String(Math.max(CPU_QUOTA_MIN_US, Math.round((limits.cpuMillis / 1_000) * CPU_PERIOD_US)));
  const v2 = hierarchy.version === 2;
  return hierarchy.controllers.flatMap((controller): [string, string][] => {
    switch (controller) {
      case "memory":
        return v2
          ? [
              ["memory.max", memory],
              ["memory.swap.max", "0"],
            ]
          : [
              ["memory.limit_in_bytes", memory],
              ["memory.memsw.limit_in_bytes", memory],
            ];
      case "cpu":
        return v2
          ? [["cpu.max", `${quota} ${CPU_PERIOD_US}`]]
          : [
              ["cpu.cfs_period_us", String(CPU_PERIOD_US)],
              ["cpu.cfs_quota_us", quota],
            ];
      case "pids":
        return [["pids.max", String(limits.maxProcesses)]];
    }
  });
}

async function writeLimit(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, value, { flag: "r+" });
  } catch (error) {
    // Kernels without swap accounting lack these two; then there is no swap to be limited, or none that could be.
    const optional = path.endsWith("memory.memsw.limit_in_bytes") || path.endsWith("memory.swap.max");
    if (!optional || (error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** A process that is no longer listed may be on its last steps and keep its group busy for another moment. */
async function removeEmpty(dir: string): Promise<void> {
  for (let pauseMs = 1; ; pauseMs *= 2) {
    try {
      return await rmdir(dir);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return;
      if (code !== "EBUSY" || pauseMs > LAST_PAUSE_MS) throw error;
    }
    await sleep(pauseMs);
  }
}

const readText = (path: string): Promise<string> => readFile(path, "utf8").catch(() => "");

/** The number after `name` in lines of `name number`. */
function field(text: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
}
