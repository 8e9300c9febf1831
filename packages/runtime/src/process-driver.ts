import { spawn, type ChildProcess } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { disposeAll } from "@samovar/kit";
import { SamovarError, type DriverInfo } from "@samovar/protocol";
import { NO_CGROUPS, detectCgroups } from "./cgroup-detect.ts";
import { Cgroups, openGroup, realFiles, removeStaleCgroups } from "./cgroups.ts";
import { ContainerCgroup } from "./container-cgroup.ts";
import { CodePlans } from "./code-plans.ts";
import { fillFolder, makeFolder, removeFolder, toContainerFolder, type ContainerFolder } from "./container-folder.ts";
import { ContainerLedger } from "./container-ledger.ts";
import { PipeStock, closePipes, openPipes, type OpenedPipes } from "./container-pipes.ts";
import { toArguments, toEnvironment } from "./container-process.ts";
import { markProcess, readEnvironment, writeRecord } from "./container-record.ts";
import type { ContainerEvents, ContainerSpec, RunningContainer, RuntimeDriver } from "./driver.ts";
import type { LocalDriverOptions } from "./local-driver-options.ts";
import { toMainProcess, toTakenProcess, type MainProcess } from "./main-process.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { ProcessContainer } from "./process-container.ts";
import { toProcessInfo } from "./process-info.ts";
import { StaleContainers } from "./stale-containers.ts";

/** Of the driver itself, among the containers' folders; no container's id begins with a dot. */
const PIPES_FOLDER = ".pipes";

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
    clearGroups: (takenIds) => (options.cgroups === "off" ? Promise.resolve(true) : removeStaleCgroups(takenIds)),
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
  /** Null where the kernel has none that both ends can be held of: containers then end with their server. */
  readonly #pipes: PipeStock | null;
  #disposing: Promise<void> | null = null;

  constructor(options: ProcessDriverOptions, info: DriverInfo, cgroups: Cgroups | null, stale: StaleContainers) {
    this.info = info;
    this.#options = options;
    this.#cgroups = cgroups;
    this.#stale = stale;
    this.#watch = new MemoryWatch(options.clock, options.logger);
    this.#pipes = info.capabilities.takeBack ? new PipeStock(join(options.home, PIPES_FOLDER)) : null;
  }

  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    return this.#ledger.begin(spec, () => this.#start(spec, events));
  }

  endLeft(waitMs: number): Promise<void> {
    return this.#stale.end(waitMs);
  }

  left(): Promise<ReadonlySet<string>> {
    return this.#stale.living("process");
  }

  async takeBack(spec: Omit<ContainerSpec, "token">, events: ContainerEvents): Promise<RunningContainer> {
    if (!this.info.capabilities.takeBack) throw new SamovarError("unsupported", "Containers can only be taken back on Linux");
    return this.#ledger.begin(spec, () => this.#takeBack(spec, events));
  }

  dispose(): Promise<void> {
    this.#disposing ??= disposeAll([
      () => this.#stale.stop(),
      () => this.#ledger.close(),
      () => this.#stale.dispose(),
      () => this.#pipes?.dispose(),
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
      const main = await this.#spawn(spec, folder);
      const placed = grouped.then((cgroup) => this.#place(spec, main, folder, cgroup));
      container = this.#adopt(spec, events, folder, main, placed);
      // The code is copied while Node boots: start() resolves when both are there, and the next server could take it back.
      await Promise.all([fillFolder(folder.work, spec.code.sourceDir, await planned), placed]);
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

  async #takeBack(spec: Omit<ContainerSpec, "token">, events: ContainerEvents): Promise<RunningContainer> {
    const { containerId } = spec;
    const { record, pipes } = await this.#stale.take(containerId, "process");
    const main = toTakenProcess(record.main.pid, pipes);
    const cgroup = record.groups.length > 0 ? new ContainerCgroup(record.groups) : null;
    const container: ProcessContainer = new ProcessContainer({
      spec,
      main,
      folder: toContainerFolder(this.#options.home, containerId),
      // What it was started with. Empty for one that ends at this moment.
      environment: await readEnvironment(main.pid).catch(() => ({})),
      events,
      logger: this.#options.logger,
      placed: Promise.resolve(cgroup),
      watch: this.#watch,
      memoryEnforced: cgroup?.limitsMemory ?? false,
      onGone: () => {
        this.#ledger.remove(container, containerId);
        return this.#stale.ended(containerId);
      },
    });
    this.#ledger.add(container);
    await container.countOomFromNow();
    return container;
  }

  async #spawn(spec: ContainerSpec, folder: ContainerFolder): Promise<MainProcess> {
    const { nodePath, nodeArguments = [], runnerFile } = this.#options;
    const env = this.#environment(spec, folder);
    let opened: OpenedPipes | null = null;
    let child: ChildProcess;
    try {
      await this.#pipes?.take(folder.root);
      opened = this.#pipes ? openPipes(folder.root) : null;
      child = spawn(nodePath, toArguments(spec, nodeArguments, runnerFile), {
        cwd: folder.work,
        env,
        stdio: opened ? ["ignore", opened.ends.stdout, opened.ends.stderr, opened.ends.life] : ["ignore", "pipe", "pipe"],
        // A process group of its own, so that a Ctrl-C at the server's terminal is not for it.
        detached: true,
      });
      if (child.pid !== undefined) {
        child.on("error", (error) => this.#options.logger.warn({ containerId: spec.containerId, error }, "A signal could not be sent"));
        return toMainProcess(child as ChildProcess & { readonly pid: number }, opened?.pipes ?? null);
      }
    } catch (error) {
      if (opened) closePipes(opened.pipes);
      throw cantStart(nodePath, error);
    } finally {
      opened?.closeEnds();
    }
    if (opened) closePipes(opened.pipes);
    throw cantStart(nodePath, await new Promise((resolve) => child.once("error", resolve)));
  }

  #adopt(spec: ContainerSpec, events: ContainerEvents, folder: ContainerFolder, main: MainProcess, placed: Promise<ContainerCgroup | null>): ProcessContainer {
    const { logger } = this.#options;
    const container: ProcessContainer = new ProcessContainer({
      spec,
      main,
      folder,
      environment: this.#environment(spec, folder),
      events,
      logger,
      placed,
      watch: this.#watch,
      memoryEnforced: this.info.capabilities.memoryLimit === "enforced",
      onGone: () => this.#ledger.remove(container, spec.containerId),
    });
    this.#ledger.add(container);
    return container;
  }

  /** For the next server. Without it that one can't take the container back, and this one does not need it. */
  async #record(mainPid: number, folder: ContainerFolder, cgroup: ContainerCgroup | null): Promise<void> {
    if (!this.info.capabilities.takeBack) return;
    try {
      const main = await markProcess(mainPid);
      if (main) await writeRecord(folder.root, { driver: "process", main, groups: cgroup?.places ?? [] });
    } catch (error) {
      this.#options.logger.warn({ folder: folder.root, error }, "It can't be written down how a container is taken back");
    }
  }

  /** Also writes down where it is. Never rejects. */
  async #place(spec: ContainerSpec, main: MainProcess, folder: ContainerFolder, cgroup: ContainerCgroup | null): Promise<ContainerCgroup | null> {
    const placed = cgroup && (await this.#move(spec, main, cgroup));
    await this.#record(main.pid, folder, placed);
    return placed;
  }

  async #move(spec: ContainerSpec, main: MainProcess, cgroup: ContainerCgroup): Promise<ContainerCgroup | null> {
    try {
      await cgroup.place(main.pid);
      return cgroup;
    } catch (error) {
      // It had ended before it could be moved: nothing is left to be limited.
      if ((await markProcess(main.pid)) === null || (error as NodeJS.ErrnoException).code === "ESRCH") return cgroup;
      this.#options.logger.warn({ containerId: spec.containerId, error }, "The container can't be moved to its control group: its memory is watched instead");
      await cgroup.remove().catch(() => {});
      return null;
    }
  }
}

function cantStart(nodePath: string, cause: unknown): SamovarError {
  return new SamovarError("start_failed", `The container's process can't be started with ${nodePath}: ${(cause as Error).message}`, { cause });
}
