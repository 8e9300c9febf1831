import { chmod, mkdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { disposeAll, type Clock, type Logger } from "@samovar/kit";
import { SamovarError, type DriverInfo } from "@samovar/protocol";
import { NO_CGROUPS, detectCgroups } from "../cgroup-detect.ts";
import { Cgroups, openGroup, realFiles, removeStaleCgroups } from "../cgroups.ts";
import { CodePlans } from "../code-plans.ts";
import { fillFolder, removeFolder, type CodePlan } from "../container-folder.ts";
import { ContainerLedger } from "../container-ledger.ts";
import { toArguments, toEnvironment } from "../container-process.ts";
import type { ContainerEvents, ContainerSpec, RunningContainer, RuntimeDriver } from "../driver.ts";
import { startOciExec } from "../exec/start-oci-exec.ts";
import { applyEdits } from "../gpu/apply-edits.ts";
import type { Gpus } from "../gpu/gpus.ts";
import { MemoryWatch } from "../memory-watch.ts";
import type { ContainerNetwork, ContainerNetworks } from "../network/container-network.ts";
import { createContainerNetworks } from "../network/create-container-networks.ts";
import { StaleContainers } from "../stale-containers.ts";
import { chooseRuntime, type Choice } from "./choose-runtime.ts";
import { toModuleBinds } from "./code-binds.ts";
import { Disks } from "./disks.ts";
import { FolderStock } from "./folder-stock.ts";
import { openHostAccess, type HostAccess } from "./host-access.ts";
import { toInitArguments } from "./lifeline.ts";
import { toOciConfig, type Bind } from "./oci-config.ts";
import type { MountSpace } from "./mount-space.ts";
import { OciContainer } from "./oci-container.ts";
import { toOciInfo } from "./oci-info.ts";
import { INSIDE, giveData, giveFolder, prepareHostRoot, type HostRoot, type OciFolder } from "./root-folder.ts";
import { runContainer } from "./run-container.ts";
import { RUNTIMES, findRuntimes, type RuntimeName } from "./runtime-program.ts";
import { toSeccompProfile, type SeccompProfile } from "./seccomp.ts";
import { toUserMapping, type UserMapping } from "./user-mapping.ts";

export interface OciDriverOptions {
  /** Where containers get their folders. Belongs to this driver alone: what it finds there is left from a dead server. */
  readonly home: string;
  /** The `node` that containers run. */
  readonly nodePath: string;
  /** The runner, one file. */
  readonly runnerFile: string;
  /** Arguments of `node` before the runner's file. */
  readonly nodeArguments?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** Those of this machine. Absent: containers get none. */
  readonly gpus?: Gpus;
  /** Which runtimes are tried, in this order. Default: all, the quickest first. */
  readonly runtimes?: readonly RuntimeName[];
}

interface Parts {
  readonly access: HostAccess;
  readonly host: HostRoot;
  readonly choice: Choice;
  readonly seccomp: SeccompProfile | null;
  readonly cgroups: Cgroups | null;
  readonly networks: ContainerNetworks;
  readonly stock: FolderStock;
  readonly stale: StaleContainers;
  readonly info: DriverInfo;
}

/** runc copies what a program without a terminal writes, and stays until nobody can write any more. */
const WAITS_FOR_OUTPUT = "A program that is run in a container is over only when nothing it started holds its output: install crun, which does not wait";
/** Of the driver itself, among the containers' folders; no container's id begins with a dot. */
const OWN_FOLDER = ".oci";
/** The same of networks, which may have to outlive the driver: a dead server's containers end by themselves. */
const NETWORK_FOLDER = ".network";
/** Init and the runtime, which stand beside what a container may start. */
const OWN_PROCESSES = 2;

/**
 * The driver whose containers are what the word means: namespaces, a root and a user of their own, no capabilities, denied
 * system calls. Rejects with `unsupported`, and what each runtime said, where none can start a container. Clears what
 * a dead server left in `home`.
 */
export async function createOciDriver(options: OciDriverOptions): Promise<RuntimeDriver> {
  const programs = process.platform === "linux" ? await findRuntimes(options.runtimes ?? RUNTIMES) : [];
  if (programs.length === 0)
    throw new SamovarError("unsupported", "Neither crun nor runc is installed: `apt-get install crun` or `apt-get install runc`, or run the server on Linux");
  await mkdir(options.home, { recursive: true, mode: 0o700 });
  const ids = { uid: process.getuid!(), gid: process.getgid!() };
  const own = join(options.home, OWN_FOLDER);
  await removeFolder(own);
  const undo: (() => Promise<void>)[] = [() => removeFolder(own)];
  try {
    const networking = createContainerNetworks({ home: join(options.home, NETWORK_FOLDER), clock: options.clock, logger: options.logger });
    networking.catch(() => {});
    undo.unshift(() => removeFolder(join(options.home, NETWORK_FOLDER)));
    const [host, { access, space }] = await Promise.all([prepareHostRoot(own), openHostAccess(options.home, ids.uid === 0)]).catch((error: unknown) => {
      throw new SamovarError("unsupported", `Containers can't be isolated here: ${(error as Error).message}. Run the server as root on Linux`, {
        cause: error,
      });
    });
    undo.unshift(() => access.dispose());
    const seccomp = toSeccompProfile(process.arch);
    const opening = openStock(options, host, space);
    undo.unshift(() => opening.then(({ stock }) => stock.dispose()));
    const choice = await chooseRuntime({ programs, access, host, seccomp, ids, folder: own });
    if ("failures" in choice) throw new SamovarError("unsupported", `No container can be started here: ${choice.failures.join("; ")}`);
    const [networks, { stock, withoutDisks }] = await Promise.all([networking, opening]);
    undo.unshift(() => networks.dispose());
    const detected = await detectCgroups(realFiles, { every: choice.program.name === "runc" && ids.uid === 0 });
    const opened = detected.hierarchies.length > 0 ? await Cgroups.open(detected, options.logger) : null;
    const plan = opened?.plan ?? NO_CGROUPS;
    const stale = await StaleContainers.clear({
      containersDir: options.home,
      clock: options.clock,
      logger: options.logger,
      clearGroups: () => removeStaleCgroups(),
      clearRest: (liveIds) => networks.clearStale(liveIds),
    });
    const info = toOciInfo({
      plan,
      isRoot: ids.uid === 0,
      userNamespace: choice.userNamespace,
      seccomp: seccomp !== null,
      networkModes: networks.modes,
      diskLimit: withoutDisks === null,
      missing: [
        ...(withoutDisks === null ? [] : [withoutDisks]),
        ...networks.missing,
        ...(choice.program.name === "runc" ? [WAITS_FOR_OUTPUT] : []),
        ...(options.gpus?.missing ?? []),
      ],
      gpus: options.gpus?.passableDevices ?? [],
    });
    options.logger.debug({ runtime: choice.program.file }, "Containers are started by a runtime");
    return new OciDriver(options, { access, host, choice, seccomp, cgroups: opened?.cgroups ?? null, networks, stock, stale, info });
  } catch (error) {
    await disposeAll(undo);
    throw error;
  }
}

/** With disks where these can be had: that is known when the first was made. */
async function openStock(
  { home, clock, logger }: OciDriverOptions,
  host: HostRoot,
  space: MountSpace | null,
): Promise<{ readonly stock: FolderStock; readonly withoutDisks: string | null }> {
  const open = async (disks: Disks | null): Promise<FolderStock> => {
    const stock = new FolderStock({ home, folder: join(home, OWN_FOLDER, "stock"), host, disks, clock, logger });
    await stock.open();
    return stock;
  };
  const no = "What containers write to disk is not limited";
  if (!space) return { stock: await open(null), withoutDisks: `${no}: run the server as root` };
  try {
    return { stock: await open(new Disks(space)), withoutDisks: null };
  } catch (error) {
    logger.info({ error }, "Containers can't have disks of their own");
    return { stock: await open(null), withoutDisks: `${no} (${(error as Error).message}): it needs loop devices and \`apt-get install e2fsprogs\`` };
  }
}

/** States: open → disposed, as of its ledger. */
class OciDriver implements RuntimeDriver {
  readonly info: DriverInfo;
  readonly #options: OciDriverOptions;
  readonly #parts: Parts;
  readonly #watch: MemoryWatch;
  readonly #ledger = new ContainerLedger<OciContainer>();
  readonly #plans = new CodePlans();
  readonly #binds = new WeakMap<CodePlan, Promise<readonly Bind[]>>();
  #disposing: Promise<void> | null = null;

  constructor(options: OciDriverOptions, parts: Parts) {
    this.info = parts.info;
    this.#options = options;
    this.#parts = parts;
    this.#watch = new MemoryWatch(options.clock, options.logger);
  }

  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    return this.#ledger.begin(spec, () => this.#start(spec, events));
  }

  dispose(): Promise<void> {
    const { stale, cgroups, access, networks, stock } = this.#parts;
    const { home } = this.#options;
    this.#disposing ??= disposeAll([
      () => stale.dispose(),
      () => this.#ledger.close(),
      // These last, since containers lie in them.
      () => cgroups?.dispose(),
      () => networks.dispose(),
      () => stock.dispose(),
      () => access.dispose(),
      () => removeFolder(join(home, OWN_FOLDER)),
      () => (stale.isCleared ? removeFolder(join(home, NETWORK_FOLDER)) : undefined),
    ]);
    return this.#disposing;
  }

  async #start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    if (!this.info.capabilities.networkModes.includes(spec.network.mode))
      throw new SamovarError("unsupported", `The oci driver can't give a container the network ${JSON.stringify(spec.network.mode)} here`);
    const { stock } = this.#parts;
    const user = this.#userOf(spec);
    const planned = this.#plans.get(spec.code);
    const grouped = openGroup(
      this.#parts.cgroups,
      spec.containerId,
      { ...spec.limits, maxProcesses: spec.limits.maxProcesses + OWN_PROCESSES },
      this.#options.logger,
    );
    // Awaited below; until then a failure must not count as unhandled.
    planned.catch(() => {});
    const networked = spec.network.mode === "host" ? Promise.resolve(null) : this.#parts.networks.create(spec.containerId, spec.network);
    networked.catch(() => {});
    let container: OciContainer | null = null;
    let taken: OciFolder | null = null;
    let filled = Promise.resolve();
    try {
      const folder = (taken = await stock.take(spec.containerId, spec.limits.diskMib));
      await Promise.all([giveData(folder, user.owner), spec.cacheDir ? giveFolder(spec.cacheDir, user.owner) : null]);
      const plan = await planned;
      const network = await networked;
      const config = await this.#configure(spec, folder, user, plan, network);
      // The code is copied while the runtime works; nothing of the user's runs before it is there.
      filled = fillFolder(folder.work, spec.code.sourceDir, plan, user.owner);
      filled.catch(() => {});
      // Where containers are the server's own user, even a library that they name for all programs must not run meanwhile.
      if (process.getuid!() !== 0) await filled;
      const { runtime, lifeline } = await runContainer(this.#parts.choice.program, this.#parts.access, folder, {
        containerId: spec.containerId,
        config,
        keepsGroup: this.#runtimePath(spec.containerId) !== null,
      });
      const adopted: OciContainer = new OciContainer({
        spec,
        runtime,
        lifeline,
        folder,
        events,
        joinsGroup: this.#parts.choice.program.name === "crun",
        grouped,
        watch: this.#watch,
        memoryEnforced: this.info.capabilities.memoryLimit === "enforced",
        logger: this.#options.logger,
        startExec: async (command) =>
          startOciExec(command, {
            containerId: spec.containerId,
            program: this.#parts.choice.program,
            access: this.#parts.access,
            folder,
            config,
            procsFiles: this.#runtimePath(spec.containerId) === null ? ((await grouped)?.procsFiles ?? []) : [],
          }),
        release: () => disposeAll([() => network?.dispose(), () => stock.release(folder)]),
        onGone: () => this.#ledger.remove(adopted, spec.containerId),
      });
      container = adopted;
      this.#ledger.add(container);
      const begun = container.begin(filled);
      begun.catch(() => {});
      await filled;
      await begun;
      this.#ledger.assertOpen();
      stock.refill();
      return container;
    } catch (error) {
      await filled.catch(() => {});
      if (container) await container.kill();
      else {
        await (await networked.catch(() => null))?.dispose();
        await (await grouped)?.remove();
        if (taken) await stock.release(taken);
      }
      throw error;
    }
  }

  #userOf(spec: ContainerSpec): UserMapping {
    return toUserMapping(spec.code.codeId, { uid: process.getuid!(), gid: process.getgid!(), userNamespace: this.#parts.choice.userNamespace });
  }

  async #configure(spec: ContainerSpec, folder: OciFolder, user: UserMapping, plan: CodePlan, network: ContainerNetwork | null): Promise<object> {
    const { access, host, seccomp } = this.#parts;
    const { nodePath, nodeArguments = [], runnerFile, home } = this.#options;
    const resolvConf = network?.resolvConf ?? host.resolvConf;
    const isLocal = isAbsolute(spec.serverAddress);
    // The folder it stands in keeps others of this machine from it.
    if (isLocal) await chmod(spec.serverAddress, 0o666);
    const binds: Bind[] = [
      ...host.binds,
      ...(resolvConf === null ? [] : [{ source: resolvConf, destination: "/etc/resolv.conf" }]),
      { source: folder.work, destination: INSIDE.code, writable: true },
      { source: folder.home, destination: INSIDE.home, writable: true },
      { source: folder.tmp, destination: INSIDE.tmp, writable: true },
      { source: nodePath, destination: INSIDE.node },
      { source: runnerFile, destination: INSIDE.runner },
      ...(isLocal ? [{ source: spec.serverAddress, destination: INSIDE.socket }] : []),
      ...(await this.#modulesOf(plan)),
      ...(spec.cacheDir ? [{ source: spec.cacheDir, destination: spec.cacheDir, writable: true }] : []),
    ];
    const inside = { ...spec, serverAddress: isLocal ? INSIDE.socket : spec.serverAddress };
    const { gpus } = this.#options;
    const config = toOciConfig({
      rootPath: access.inside(folder.rootfs),
      hostname: spec.containerId.replaceAll("_", "-"),
      argv: toInitArguments([INSIDE.node, ...toArguments(spec, nodeArguments, INSIDE.runner)]),
      env: toEnvironment(inside, INSIDE, INSIDE.node, gpus?.environment(spec.gpus)),
      cwd: INSIDE.code,
      binds: binds.map((bind) => ({
        ...bind,
        source: bind.source.startsWith(`${home}/`) || bind.source.startsWith(`${folder.data}/`) ? access.inside(bind.source) : bind.source,
      })),
      user,
      seccomp,
      network: network && (network.netnsPath === null ? "own" : { path: network.netnsPath }),
      cgroupsPath: this.#runtimePath(spec.containerId),
    });
    return gpus ? applyEdits(config, await gpus.toContainerEdits(spec.gpus)) : config;
  }

  /** crun leaves control groups to us; runc makes one in every tree, and then it had better be ours. */
  #runtimePath(containerId: string): string | null {
    const { choice, cgroups } = this.#parts;
    return choice.program.name === "runc" && process.getuid!() === 0 ? (cgroups?.toRuntimePath(containerId) ?? null) : null;
  }

  #modulesOf(plan: CodePlan): Promise<readonly Bind[]> {
    let binds = this.#binds.get(plan);
    if (!binds) this.#binds.set(plan, (binds = toModuleBinds(plan.modules)));
    return binds;
  }
}
