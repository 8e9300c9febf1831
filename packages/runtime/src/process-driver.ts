import { spawn, type ChildProcess } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { disposeAll } from "@samovar/kit";
import { SamovarError, type DriverInfo } from "@samovar/protocol";
import { NO_CGROUPS, detectCgroups } from "./cgroup-detect.ts";
import { Cgroups, openGroup, realFiles, removeStaleCgroups } from "./cgroups.ts";
import type { ContainerCgroup } from "./container-cgroup.ts";
import { CodePlans } from "./code-plans.ts";
import { fillFolder, makeFolder, removeFolder, toContainerFolder, type ContainerFolder } from "./container-folder.ts";
import { ContainerLedger } from "./container-ledger.ts";
import { toArguments, toEnvironment } from "./container-process.ts";
import type { ContainerEvents, ContainerSpec, RunningContainer, RuntimeDriver } from "./driver.ts";
import type { LocalDriverOptions } from "./local-driver-options.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { ProcessContainer } from "./process-container.ts";
import { toProcessInfo } from "./process-info.ts";
import { StaleContainers } from "./stale-containers.ts";

export interface ProcessDriverOptions extends LocalDriverOptions {
  /** `off`: limits are watched and processes found without control groups, as on machines that have none. Default `auto`. */
  readonly cgroups?: "auto" | "off";
  /** Said in front of what this driver lacks: why it was taken and not a better one. */
  readonly missing?: readonly string[];
}

/**
 * The driver that needs nothing: a container is a process with its own group, folder and environment, on the same
 * files and as the same user as the server. Clears what a dead server left in `home`.
 */
export async function createProcessDriver(options: ProcessDriverOptions): Promise<RuntimeDriver> {
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  const detected = options.cgroups === "off" ? NO_CGROUPS : await detectCgroups(realFiles);
  const opened = detected.hierarchies.length > 0 ? await Cgroups.open(detected, options.logger) : null;
  const plan = opened?.plan ?? NO_CGROUPS;
  const stale = await StaleContainers.clear({
    containersDir: options.home,
    clock: options.clock,
    logger: options.logger,
    clearGroups: () => (options.cgroups === "off" ? Promise.resolve(true) : removeStaleCgroups()),
  });
  const info = toProcessInfo(plan, process.platform, options.cgroups === "off", options.gpus?.devices ?? []);
  return new ProcessDriver(options, { ...info, missing: [...(options.missing ?? []), ...info.missing] }, opened?.cgroups ?? null, stale);
}

/** States: open → disposed, as of its ledger. */
class ProcessDriver implements RuntimeDriver {
  readonly info: DriverInfo;
  readonly #options: ProcessDriverOptions;
  readonly #cgroups: Cgroups | null;
  readonly #stale: StaleContainers;
  readonly #watch: MemoryWatch;
  readonly #ledger = new ContainerLedger<ProcessContainer>();
  readonly #plans = new CodePlans();
  #disposing: Promise<void> | null = null;

  constructor(options: ProcessDriverOptions, info: DriverInfo, cgroups: Cgroups | null, stale: StaleContainers) {
    this.info = info;
    this.#options = options;
    this.#cgroups = cgroups;
    this.#stale = stale;
    this.#watch = new MemoryWatch(options.clock, options.logger);
  }

  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    return this.#ledger.begin(spec, () => this.#start(spec, events));
  }

  takeBack(): Promise<RunningContainer> {
    return Promise.reject(new SamovarError("unsupported", "This driver can't take containers back yet"));
  }

  dispose(): Promise<void> {
    this.#disposing ??= disposeAll([
      () => this.#stale.dispose(),
      () => this.#ledger.close(),
      // Last, since containers lie in them.
      () => this.#cgroups?.dispose(),
    ]);
    return this.#disposing;
  }

  async #start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    const folder = toContainerFolder(this.#options.home, spec.containerId);
    const planned = this.#plans.get(spec.code);
    const grouped = openGroup(this.#cgroups, spec.containerId, spec.limits, this.#options.logger);
    // Awaited below; until then a failure must not count as unhandled.
    planned.catch(() => {});
    let container: ProcessContainer | null = null;
    try {
      await makeFolder(folder);
      const child = await this.#spawn(spec, folder);
      container = this.#adopt(spec, events, folder, child, grouped);
      // The code is copied while Node boots: start() resolves when both are there.
      await fillFolder(folder.work, spec.code.sourceDir, await planned);
      this.#ledger.assertOpen();
      return container;
    } catch (error) {
      if (container) await container.kill();
      else {
        await (await grouped)?.remove();
        await removeFolder(folder.root);
      }
      throw error;
    }
  }

  #environment(spec: ContainerSpec, folder: ContainerFolder): Record<string, string> {
    return toEnvironment(spec, folder, this.#options.nodePath, this.#options.gpus?.environment(spec.gpus));
  }

  async #spawn(spec: ContainerSpec, folder: ContainerFolder): Promise<ChildProcess & { readonly pid: number }> {
    const { nodePath, nodeArguments = [], runnerFile } = this.#options;
    const env = this.#environment(spec, folder);
    let child: ChildProcess;
    try {
      child = spawn(nodePath, toArguments(spec, nodeArguments, runnerFile), {
        cwd: folder.work,
        env,
        stdio: ["ignore", "pipe", "pipe"],
        // A process group of its own, so that a Ctrl-C at the server's terminal is not for it.
        detached: true,
      });
      if (child.pid !== undefined) {
        child.on("error", (error) => this.#options.logger.warn({ containerId: spec.containerId, error }, "A signal could not be sent"));
        return child as ChildProcess & { readonly pid: number };
      }
    } catch (error) {
      throw cantStart(nodePath, error);
    }
    throw cantStart(nodePath, await new Promise((resolve) => child.once("error", resolve)));
  }

  #adopt(
    spec: ContainerSpec,
    events: ContainerEvents,
    folder: ContainerFolder,
    child: ChildProcess & { readonly pid: number },
    grouped: Promise<ContainerCgroup | null>,
  ): ProcessContainer {
    const { logger } = this.#options;
    const container: ProcessContainer = new ProcessContainer({
      spec,
      child,
      folder,
      environment: this.#environment(spec, folder),
      events,
      logger,
      placed: grouped.then((cgroup) => this.#place(spec, child, cgroup)),
      watch: this.#watch,
      memoryEnforced: this.info.capabilities.memoryLimit === "enforced",
      onGone: () => this.#ledger.remove(container, spec.containerId),
    });
    this.#ledger.add(container);
    return container;
  }

  async #place(spec: ContainerSpec, child: ChildProcess & { readonly pid: number }, cgroup: ContainerCgroup | null): Promise<ContainerCgroup | null> {
    if (!cgroup) return null;
    try {
      await cgroup.place(child.pid);
      return cgroup;
    } catch (error) {
      // It had ended before it could be moved: nothing is left to be limited.
      if (child.exitCode !== null || child.signalCode !== null || (error as NodeJS.ErrnoException).code === "ESRCH") return cgroup;
      this.#options.logger.warn({ containerId: spec.containerId, error }, "The container can't be moved to its control group: its memory is watched instead");
      await cgroup.remove().catch(() => {});
      return null;
    }
  }
}

function cantStart(nodePath: string, cause: unknown): SamovarError {
  return new SamovarError("start_failed", `The container's process can't be started with ${nodePath}: ${(cause as Error).message}`, { cause });
}
