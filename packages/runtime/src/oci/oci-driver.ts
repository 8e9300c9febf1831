import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { disposeAll, makeFolders } from "@samovar/kit";
import { SamovarError, type DriverInfo, type ErrorCode } from "@samovar/protocol";
import { NO_CGROUPS, detectCgroups, type CgroupPlan } from "../cgroup-detect.ts";
import type { ContainerCgroup } from "../container-cgroup.ts";
import { Cgroups, openGroup, realFiles } from "../cgroups.ts";
import { CodePlans } from "../code-plans.ts";
import { fillFolder, removeFolder, type CodePlan } from "../container-folder.ts";
import { ContainerLedger } from "../container-ledger.ts";
import { closePipes } from "../container-pipes.ts";
import { toArguments, toEnvironment } from "../container-process.ts";
import { markProcess, writeRecord } from "../container-record.ts";
import type { ContainerEvents, ContainerSpec, RunningContainer, RuntimeDriver } from "../driver.ts";
import { startOciExec } from "../exec/start-oci-exec.ts";
import { applyEdits } from "../gpu/apply-edits.ts";
import type { LocalDriverOptions } from "../local-driver-options.ts";
import { MemoryWatch } from "../memory-watch.ts";
import type { ContainerNetwork, ContainerNetworks } from "../network/container-network.ts";
import { createContainerNetworks } from "../network/create-container-networks.ts";
import type { Choice } from "./choose-runtime.ts";
import { toModuleBinds } from "./code-binds.ts";
import { KeptVerdict } from "./kept-verdict.ts";
import { Leftovers, ROOT_PREFIX } from "./leftovers.ts";
import { toInitArguments } from "./lifeline.ts";
import { toOciConfig, type Bind } from "./oci-config.ts";
import { OciContainer, type Processes } from "./oci-container.ts";
import { toOciInfo } from "./oci-info.ts";
import { INSIDE, giveData, giveFolder, type HostRoot, type OciFolder } from "./root-folder.ts";
import { runContainer } from "./run-container.ts";
import { RUNTIMES, findRuntimes, type RuntimeName } from "./runtime-program.ts";
import { toSeccompProfile, type SeccompProfile } from "./seccomp.ts";
import { findTaken } from "./take-back.ts";
import { toFindings, toVerdict, tryMachine } from "./try-machine.ts";
import { toUserMapping, type UserMapping } from "./user-mapping.ts";
import { Workshop, type Ground } from "./workshop.ts";

export interface OciDriverOptions extends LocalDriverOptions {
  /** Which runtimes are tried, in this order. Default: all, the quickest first. */
  readonly runtimes?: readonly RuntimeName[];
  /** Where it is kept what was found out by trying. Absent: each driver tries anew. */
  readonly verdictFile?: string;
}

interface Parts {
  readonly workshop: Workshop;
  readonly choice: Choice;
  readonly seccomp: SeccompProfile | null;
  readonly cgroups: Cgroups | null;
  readonly plan: CgroupPlan;
  readonly networks: ContainerNetworks;
  readonly leftovers: Leftovers;
  readonly withoutDisks: string | null;
  /** Whether the verdict is an earlier driver's, which no container has proved yet. */
  readonly isKept: boolean;
  readonly kept: KeptVerdict | null;
}

/** runc copies what a program without a terminal writes, and stays until nobody can write any more. */
const WAITS_FOR_OUTPUT = "A program that is run in a container is over only when nothing it started holds its output: install crun, which does not wait";
/** Of the driver itself, among the containers' folders; no container's id begins with a dot. */
const OWN_FOLDER = ".oci";
/** The same of networks, which may have to outlive the driver: a dead server's containers end by themselves. */
const NETWORK_FOLDER = ".network";
/** Each program that is run holds this process up, which has a server's door to open first. */
const PREPARE_AFTER_MS = 30;
/** When the embedded servers of short commands have ended, and others have started their first containers. */
const LOOK_AFTER_MS = 2_000;
const CODES_OF_DOUBT: ReadonlySet<string> = new Set<ErrorCode>(["start_failed", "storage_failed"]);
const TRY_ANEW = "No container has started since this server did: if the next one fails too, start the server again, and it tries anew what this machine can";
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
  makeFolders(options.home, 0o700);
  const { home, clock, logger } = options;
  const ids = { uid: process.getuid!(), gid: process.getgid!() };
  const own = join(home, OWN_FOLDER);
  const kept = options.verdictFile === undefined ? null : new KeptVerdict({ file: options.verdictFile, home, programs, ids, logger });
  const known = (await kept?.read()) ?? null;
  const rootFolder = join(home, ROOT_PREFIX + randomBytes(6).toString("hex"));
  const workshop = new Workshop({
    ...{ home, folder: own, rootFolder, clock, logger },
    isRoot: ids.uid === 0,
    disks: known ? known.withoutDisks === null : "try",
  });
  const undo: (() => Promise<void>)[] = [() => workshop.dispose()];
  try {
    const networking = createContainerNetworks({ home: join(home, NETWORK_FOLDER), clock, logger, ...(known ? { probe: known.networks } : {}) });
    networking.catch(() => {});
    undo.push(() => removeFolder(join(home, NETWORK_FOLDER)));
    const seccomp = toSeccompProfile(process.arch);
    const found = known ? toFindings(known, programs) : await tryMachine({ workshop, programs, seccomp, ids, home, folder: own });
    const networks = await networking;
    undo.unshift(() => networks.dispose());
    const detected = await detectCgroups(realFiles, { every: found.choice.program.name === "runc" && ids.uid === 0 });
    const opened = detected.hierarchies.length > 0 ? await Cgroups.open(detected, logger) : null;
    const leftovers = await Leftovers.clear({ home, clock, logger, networks, rootFolder });
    if (!known) await kept?.keep(toVerdict(found, networks));
    logger.debug({ runtime: found.choice.program.file, kept: known !== null }, "Containers are started by a runtime");
    return new OciDriver(options, {
      ...found,
      ...{ workshop, seccomp, networks, leftovers, kept },
      cgroups: opened?.cgroups ?? null,
      plan: opened?.plan ?? NO_CGROUPS,
      isKept: known !== null,
    });
  } catch (error) {
    await disposeAll(undo);
    throw error;
  }
}

/** States: open → disposed, as of its ledger. */
class OciDriver implements RuntimeDriver {
  readonly #options: OciDriverOptions;
  readonly #parts: Parts;
  readonly #watch: MemoryWatch;
  readonly #ledger = new ContainerLedger<OciContainer>();
  readonly #plans = new CodePlans();
  readonly #binds = new WeakMap<CodePlan, Promise<readonly Bind[]>>();
  /** What was kept is trusted until a container fails, and no longer asked about when one has started. */
  #isProved: boolean;
  readonly #cancelTimers: (() => void)[] = [];
  #looking: Promise<void> = Promise.resolve();
  #disposing: Promise<void> | null = null;

  constructor(options: OciDriverOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
    this.#watch = new MemoryWatch(options.clock, options.logger);
    this.#isProved = !parts.isKept;
    const after = (delayMs: number, run: () => void): unknown => this.#cancelTimers.push(options.clock.after(delayMs, run));
    after(parts.isKept ? PREPARE_AFTER_MS : 0, () => this.#prepare());
    if (parts.isKept) after(LOOK_AFTER_MS, () => void (this.#looking = this.#lookAgain()));
  }

  get info(): DriverInfo {
    const { plan, choice, seccomp, networks, withoutDisks } = this.#parts;
    const { gpus } = this.#options;
    return toOciInfo({
      plan,
      isRoot: process.getuid!() === 0,
      userNamespace: choice.userNamespace,
      seccomp: seccomp !== null,
      networkModes: networks.modes,
      diskLimit: withoutDisks === null,
      missing: [
        ...(withoutDisks === null ? [] : [withoutDisks]),
        ...networks.missing,
        ...(choice.program.name === "runc" ? [WAITS_FOR_OUTPUT] : []),
        ...(gpus?.missing ?? []),
      ],
      gpus: gpus?.passableDevices ?? [],
    });
  }

  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    return this.#ledger.begin(spec, () => this.#start(spec, events));
  }

  endLeft(waitMs: number): Promise<void> {
    return this.#parts.leftovers.end(waitMs);
  }

  left(): Promise<ReadonlySet<string>> {
    return this.#parts.leftovers.living();
  }

  takeBack(spec: Omit<ContainerSpec, "token">, events: ContainerEvents): Promise<RunningContainer> {
    return this.#ledger.begin(spec, () => this.#takeBack(spec, events));
  }

  dispose(): Promise<void> {
    const { leftovers, cgroups, networks, workshop } = this.#parts;
    this.#disposing ??= disposeAll([
      () => this.#cancelTimers.forEach((cancel) => cancel()),
      () => leftovers.stop(),
      () => this.#looking,
      () => this.#ledger.close(),
      () => leftovers.dispose(),
      // These last, since containers lie in them.
      () => cgroups?.dispose(),
      () => networks.dispose(),
      () => workshop.dispose(),
      async () => ((await leftovers.areGone()) ? await removeFolder(join(this.#options.home, NETWORK_FOLDER)) : undefined),
    ]);
    return this.#disposing;
  }

  async #start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    if (!this.info.capabilities.networkModes.includes(spec.network.mode))
      throw new SamovarError("unsupported", `The oci driver can't give a container the network ${JSON.stringify(spec.network.mode)} here`);
    this.#prepare();
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
    let release = async (): Promise<void> => {};
    let filled = Promise.resolve();
    try {
      const tools = await this.#parts.workshop.tools;
      const { access, host, stock } = tools;
      const folder = await stock.take(spec.containerId, spec.limits.diskMib);
      release = () => stock.release(folder);
      await Promise.all([giveData(folder, user.owner), spec.cacheDir ? giveFolder(spec.cacheDir, user.owner) : null]);
      const plan = await planned;
      const network = await networked;
      const config = await this.#configure(spec, tools, folder, user, plan, network);
      // The code is copied while the runtime works; nothing of the user's runs before it is there.
      filled = fillFolder(folder.work, spec.code.sourceDir, plan, user.owner);
      filled.catch(() => {});
      // Where containers are the server's own user, even a library that they name for all programs must not run meanwhile.
      if (process.getuid!() !== 0) await filled;
      const { runtime, pipes, lifeline } = await runContainer(this.#parts.choice.program, access, folder, {
        containerId: spec.containerId,
        config,
        keepsGroup: this.#runtimePath(spec.containerId) !== null,
      });
      const adopted: OciContainer = new OciContainer({
        spec,
        runtime: { pid: runtime.pid, exited: once(runtime, "exit") },
        pipes,
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
            access,
            folder,
            config,
            procsFiles: this.#runtimePath(spec.containerId) === null ? ((await grouped)?.procsFiles ?? []) : [],
          }),
        record: async (processes) => this.#record(folder, runtime.pid, processes, await grouped, host),
        release: () => disposeAll([() => network?.dispose(), release]),
        onGone: () => this.#ledger.remove(adopted, spec.containerId),
      });
      container = adopted;
      this.#ledger.add(container);
      const begun = container.begin(filled);
      begun.catch(() => {});
      await filled;
      await begun;
      this.#isProved = true;
      this.#ledger.assertOpen();
      stock.refill();
      return container;
    } catch (error) {
      await filled.catch(() => {});
      if (container) await container.kill();
      else {
        await (await networked.catch(() => null))?.dispose();
        await (await grouped)?.remove();
        await release();
      }
      throw await this.#toFailure(error);
    }
  }

  async #takeBack(spec: Omit<ContainerSpec, "token">, events: ContainerEvents): Promise<RunningContainer> {
    const { containerId } = spec;
    const { leftovers, networks, workshop } = this.#parts;
    this.#prepare();
    const { access } = await workshop.ground;
    const { record, pipes } = await leftovers.take(containerId);
    const [network] = await Promise.allSettled([networks.takeBack(containerId)]);
    const root = join(this.#options.home, containerId);
    // With its folder goes what other mount tables have in it: its disk.
    const release = (): Promise<void> => disposeAll([() => (network.status === "fulfilled" ? network.value?.dispose() : undefined), () => removeFolder(root)]);
    const parts = await findTaken(containerId, root, record, pipes, access).catch(async (error: unknown) => {
      await disposeAll([() => closePipes(pipes), release, () => leftovers.ended(containerId)]);
      throw error;
    });
    const taken: OciContainer = new OciContainer({
      ...{ spec, events, ...parts, release },
      watch: this.#watch,
      logger: this.#options.logger,
      onGone: () => {
        this.#ledger.remove(taken, containerId);
        return leftovers.ended(containerId);
      },
    });
    this.#ledger.add(taken);
    try {
      if (network.status === "rejected") throw network.reason;
      await taken.countOomFromNow();
      this.#ledger.assertOpen();
      return taken;
    } catch (error) {
      await taken.kill();
      throw error;
    }
  }

  /** Without it the next server can't take the container back, and this one does not need it. */
  async #record(folder: OciFolder, runtimePid: number, { namespace, mainPid }: Processes, cgroup: ContainerCgroup | null, host: HostRoot): Promise<void> {
    const runtime = this.#parts.choice.program.name;
    try {
      const main = await markProcess(mainPid);
      const oci = { runtime, runtimePid, initPid: namespace.initPid, rootFolder: basename(host.folder) };
      if (main) await writeRecord(folder.root, { driver: "oci", main, groups: cgroup?.places ?? [], oci });
    } catch (error) {
      this.#options.logger.warn({ folder: folder.root, error }, "It can't be written down how a container is taken back");
    }
  }

  #userOf(spec: ContainerSpec): UserMapping {
    return toUserMapping(spec.code.codeId, { uid: process.getuid!(), gid: process.getgid!(), userNamespace: this.#parts.choice.userNamespace });
  }

  /** What the first container waits for otherwise. */
  #prepare(): void {
    this.#parts.workshop.begin();
    void this.#parts.leftovers.begin();
  }

  /** A machine that can't do any more what is kept of it is told from a mistake of the function's: nothing has ever started. */
  async #toFailure(error: unknown): Promise<unknown> {
    const code = error instanceof SamovarError ? error.code : "start_failed";
    if (this.#isProved || !CODES_OF_DOUBT.has(code)) return error;
    await this.#parts.kept?.drop();
    return new SamovarError(code, `${(error as Error).message}. ${TRY_ANEW}`, {
      cause: error,
      ...(error instanceof SamovarError ? { fields: error.fields } : {}),
    });
  }

  /** The host's firewall may have changed without a trace in what the verdict depends on. */
  async #lookAgain(): Promise<void> {
    const { networks, kept } = this.#parts;
    try {
      const before = JSON.stringify(networks.probe);
      await networks.lookAgain();
      if (JSON.stringify(networks.probe) !== before) await kept?.keep(toVerdict(this.#parts, networks));
    } catch (error) {
      this.#options.logger.warn({ error }, "What networks containers can have can't be looked at anew");
    }
  }

  async #configure(
    spec: ContainerSpec,
    { access, host }: Ground,
    folder: OciFolder,
    user: UserMapping,
    plan: CodePlan,
    network: ContainerNetwork | null,
  ): Promise<object> {
    const { seccomp } = this.#parts;
    const { nodePath, nodeArguments = [], runnerFile, home } = this.#options;
    const resolvConf = network?.resolvConf ?? host.resolvConf;
    const isLocal = isAbsolute(spec.serverAddress);
    // What they both stand in keeps others of this machine from them.
    if (isLocal) await Promise.all([chmod(dirname(spec.serverAddress), 0o755), chmod(spec.serverAddress, 0o666)]);
    const binds: Bind[] = [
      ...host.binds,
      ...(resolvConf === null ? [] : [{ source: resolvConf, destination: "/etc/resolv.conf" }]),
      { source: folder.work, destination: INSIDE.code, writable: true },
      { source: folder.home, destination: INSIDE.home, writable: true },
      { source: folder.tmp, destination: INSIDE.tmp, writable: true },
      { source: nodePath, destination: INSIDE.node },
      { source: runnerFile, destination: INSIDE.runner },
      // The folder and not the socket: the next server of this home makes another one.
      ...(isLocal ? [{ source: dirname(spec.serverAddress), destination: INSIDE.server }] : []),
      ...(await this.#modulesOf(plan)),
      ...(spec.cacheDir ? [{ source: spec.cacheDir, destination: spec.cacheDir, writable: true }] : []),
    ];
    const inside = { ...spec, serverAddress: isLocal ? join(INSIDE.server, basename(spec.serverAddress)) : spec.serverAddress };
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
