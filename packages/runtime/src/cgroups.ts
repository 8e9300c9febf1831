import { access, constants, mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@samovar/kit";
import { detectCgroups, type CgroupHierarchy, type CgroupPlan, type FileView } from "./cgroup-detect.ts";
import { ContainerCgroup } from "./container-cgroup.ts";
import type { ContainerLimits } from "./driver.ts";
import { isRunning } from "./process-table.ts";

export const realFiles: FileView = {
  read: (path) => readFile(path, "utf8").catch(() => null),
  writable: (path) =>
    access(path, constants.W_OK).then(
      () => true,
      () => false,
    ),
};

/** Those of a driver, and those that runc makes for the containers by which it is tried. */
const NAME = /^samovar-(?:trial-)?(\d+)\.\d+$/;
let opened = 0;

/**
 * The control groups of one driver: `samovar-<pid of the server>.<n>/<container id>` in every tree of the plan.
 */
export class Cgroups {
  readonly #hierarchies: readonly CgroupHierarchy[];
  readonly #name: string;
  /**
   * Moves go one after another: after a pause the first waits for the kernel some 10 ms, those right behind it do
   * not, and a burst of starts must not take every thread of the file system pool for waiting.
   */
  #moves: Promise<unknown> = Promise.resolve();

  private constructor(hierarchies: readonly CgroupHierarchy[], name: string) {
    this.#hierarchies = hierarchies;
    this.#name = name;
  }

  /** Makes the driver's own groups. Trees in which that fails are left out; null when none is left. */
  static async open(plan: CgroupPlan, logger: Logger): Promise<{ readonly cgroups: Cgroups; readonly plan: CgroupPlan } | null> {
    const name = `samovar-${process.pid}.${opened++}`;
    const usable: CgroupHierarchy[] = [];
    for (const hierarchy of plan.hierarchies) {
      const dir = join(hierarchy.parentDir, name);
      try {
        const handOn = hierarchy.controllers.map((controller) => `+${controller}`).join(" ");
        if (hierarchy.enable.length > 0)
          await writeFile(join(hierarchy.parentDir, "cgroup.subtree_control"), hierarchy.enable.map((controller) => `+${controller}`).join(" "));
        await mkdir(dir);
        if (hierarchy.version === 2 && handOn) await writeFile(join(dir, "cgroup.subtree_control"), handOn);
        usable.push(hierarchy);
      } catch (error) {
        await rmdir(dir).catch(() => {});
        logger.info({ dir, error }, "A control group can't be made here: going on without it");
      }
    }
    if (usable.length === 0) return null;
    return { cgroups: new Cgroups(usable, name), plan: { layout: plan.layout, hierarchies: usable } };
  }

  /** A container's group as OCI runtimes are told of it: v1 trees are looked up below the group that this process is in. */
  toRuntimePath(containerId: string): string {
    const [{ parentDir, mountPoint, version }] = this.#hierarchies as [CgroupHierarchy];
    const path = join(this.#name, containerId);
    return version === 2 ? join("/", parentDir.slice(mountPoint.length), path) : path;
  }

  async create(containerId: string, limits: ContainerLimits): Promise<ContainerCgroup> {
    const groups = this.#hierarchies.map((hierarchy) => ({ ...hierarchy, dir: join(hierarchy.parentDir, this.#name, containerId) }));
    const cgroup = new ContainerCgroup(groups, (move) => this.#enqueue(move));
    try {
      await cgroup.make(limits);
      return cgroup;
    } catch (error) {
      await cgroup.remove().catch(() => {});
      throw error;
    }
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#hierarchies.map((hierarchy) => removeGroup(join(hierarchy.parentDir, this.#name))));
  }

  #enqueue<T>(move: () => Promise<T>): Promise<T> {
    const done = this.#moves.then(move);
    this.#moves = done.catch(() => {});
    return done;
  }
}

/** Made while the rest of a start goes on. Null where groups can't be had: then the container is watched instead. */
export async function openGroup(cgroups: Cgroups | null, containerId: string, limits: ContainerLimits, logger: Logger): Promise<ContainerCgroup | null> {
  try {
    return (await cgroups?.create(containerId, limits)) ?? null;
  } catch (error) {
    logger.warn({ containerId, error }, "The container's control group can't be made: its memory is watched instead");
    return null;
  }
}

/**
 * Removes what servers that are gone left behind, whatever their driver, as far as no process is in it and it is not of a container that
 * was taken back. False when something else stays.
 */
export async function removeStaleCgroups(takenIds: ReadonlySet<string>): Promise<boolean> {
  const plan = await detectCgroups(realFiles, { every: true });
  const removed: boolean[] = [];
  for (const { parentDir } of plan.hierarchies) {
    for (const name of await readdir(parentDir).catch(() => [])) {
      const pid = NAME.exec(name)?.[1];
      if (pid === undefined || (await isRunning(Number(pid)))) continue;
      const dir = join(parentDir, name);
      const containers = (await readdir(dir, { withFileTypes: true }).catch(() => [])).filter((entry) => entry.isDirectory());
      const stale = containers.filter((entry) => !takenIds.has(entry.name));
      for (const dirs of [stale.map((entry) => join(dir, entry.name)), stale.length < containers.length ? [] : [dir]]) {
        for (const group of dirs) {
          removed.push(
            await removeGroup(group).then(
              () => true,
              () => false,
            ),
          );
        }
      }
    }
  }
  return !removed.includes(false);
}

async function removeGroup(dir: string): Promise<void> {
  await rmdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
