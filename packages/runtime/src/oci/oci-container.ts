import { readFile } from "node:fs/promises";
import type { Logger } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ContainerCgroup } from "../container-cgroup.ts";
import { endTree, nextTurn, signal } from "../container-ending.ts";
import { readContainerStats } from "../container-stats.ts";
import { closePipes, type ContainerPipes } from "../container-pipes.ts";
import type { ContainerEvents, ContainerSpec, ContainerStats, ExecCommand, ExecProcess, RunningContainer } from "../driver.ts";
import type { OwnedExec } from "../exec/exec-launch.ts";
import { ExecSet } from "../exec/exec-set.ts";
import { toExitStatus } from "../exit-status.ts";
import { guardEvents } from "../guarded-events.ts";
import type { MemoryWatch } from "../memory-watch.ts";
import { OomCount } from "../oom-count.ts";
import { findByContainerId } from "../process-table.ts";
import type { Lifeline, MainEnd } from "./lifeline.ts";
import { PidNamespace, insidePid } from "./pid-namespace.ts";
import { INSIDE, type OciFolder } from "./root-folder.ts";
import { limitRuntime } from "./run-container.ts";

/** Makes a container in some 30 ms, on a machine that has nothing else to do. */
const RUNTIME_TIMEOUT_MS = 60_000;

export interface OciContainerOptions {
  readonly spec: Omit<ContainerSpec, "token">;
  /** The runtime's process, which stays while the container is there. Of one that another server started only the lifeline tells the end. */
  readonly runtime: { readonly pid: number; readonly exited: Promise<unknown> };
  readonly pipes: ContainerPipes;
  readonly lifeline: Lifeline;
  /** Those of a container that runs already. */
  readonly processes?: Processes;
  readonly folder: OciFolder;
  /** Whether the runtime's process stands in the container's group, too. */
  readonly joinsGroup: boolean;
  /** Null where there are no control groups. Never rejects. */
  readonly grouped: Promise<ContainerCgroup | null>;
  readonly events: ContainerEvents;
  readonly watch: MemoryWatch;
  readonly memoryEnforced: boolean;
  readonly logger: Logger;
  startExec(command: ExecCommand): Promise<OwnedExec>;
  /** Notes for the next server what it needs to take the container back. */
  record?(processes: Processes): Promise<void>;
  /** Takes away all that stands on files, when no process is left. */
  release(): Promise<void>;
  /** All of it is gone. */
  onGone(): void | Promise<void>;
}

export interface Processes {
  readonly namespace: PidNamespace;
  readonly mainPid: number;
}

/**
 * One container of the oci driver.
 *
 * States: creating (the runtime works) → running (`begin` let the main program go) → ended (it exited; told by
 * `mainExited`; its init and other processes may live) → gone (`kill` has removed all). `kill` leads from any state to
 * gone, by way of ended.
 */
export class OciContainer implements RunningContainer {
  readonly codePath = INSIDE.code;
  readonly codeDir: string;
  readonly #options: OciContainerOptions;
  readonly #events: ContainerEvents;
  readonly #oom: OomCount;
  readonly #execs = new ExecSet();
  readonly #ended: Promise<void>;
  /** The runtime exited and the lifeline is closed: nothing runs. */
  readonly #over: Promise<void>;
  #processes: Processes | null = null;
  #isEnded = false;
  #isOver = false;
  #killedByUs = false;
  #killing: Promise<void> | null = null;
  #gone = false;
  #stopWatching: () => void = () => {};

  constructor(options: OciContainerOptions) {
    this.#options = options;
    this.#events = guardEvents(options.events, options.spec.containerId, options.logger);
    this.codeDir = options.folder.work;
    this.#oom = new OomCount(options.grouped);
    const { runtime, pipes, lifeline, processes } = options;
    pipes.stdout.read((chunk) => this.#output("stdout", chunk));
    pipes.stderr.read((chunk) => {
      this.#oom.heap.push(chunk);
      this.#output("stderr", chunk);
    });
    this.#over = Promise.all([runtime.exited, lifeline.closed]).then(() => void (this.#isOver = true));
    this.#ended = lifeline.ended.then((end) => this.#onEnd(end));
    if (!processes) return;
    this.#processes = processes;
    if (!options.memoryEnforced) this.#watchMemory(processes.mainPid);
  }

  get pid(): number | null {
    return this.#processes?.mainPid ?? null;
  }

  /**
   * Lets the main program run, as soon as its code and init are there and both are in their control group. Rejects when the runtime
   * could not make the container, with what it said.
   */
  async begin(codeIsThere: Promise<void>): Promise<void> {
    const { lifeline, folder, grouped, spec, runtime } = this.#options;
    const limit = limitRuntime(runtime, RUNTIME_TIMEOUT_MS);
    try {
      const cgroup = await grouped;
      // After a pause the kernel takes some 8 ms for a first move, and hardly any for those right behind: it passes while
      // the runtime works, and what that starts is in the group from its birth on, most of the time.
      if (this.#options.joinsGroup) void cgroup?.place(runtime.pid).catch(() => {});
      await lifeline.ready;
      limit.cancel();
      const namespace = await PidNamespace.below(runtime.pid);
      const mainPid = (await namespace?.firstChild()) ?? null;
      if (!namespace || mainPid === null) throw new Error("its main process is gone");
      this.#processes = { namespace, mainPid };
      await cgroup?.place(namespace.initPid);
      await cgroup?.place(mainPid);
      if (!(cgroup && this.#options.memoryEnforced)) this.#watchMemory(mainPid);
      await Promise.all([codeIsThere, this.#options.record?.(this.#processes)]);
      lifeline.go();
    } catch (error) {
      limit.cancel();
      const said = limit.expired
        ? `the runtime did not make it within ${RUNTIME_TIMEOUT_MS / 1_000} s`
        : (await readFile(folder.logFile, "utf8").catch(() => "")).trim();
      throw new SamovarError("start_failed", `Container ${spec.containerId} can't be started: ${said || (error as Error).message}`, { cause: error });
    }
  }

  async terminate(): Promise<void> {
    if (!this.#isEnded && this.#processes) signal(this.#processes.mainPid, "SIGTERM");
  }

  kill(): Promise<void> {
    this.#killing ??= this.#kill().catch((error: unknown) => {
      // Another call may try again.
      this.#killing = null;
      throw error;
    });
    return this.#killing;
  }

  async killProcess(pid: number): Promise<void> {
    if (this.#gone || !this.#processes) return;
    for (const hostPid of await this.#pids()) {
      if ((await insidePid(hostPid)) !== pid) continue;
      if (hostPid === this.#processes.mainPid) this.#killedByUs = true;
      signal(hostPid);
    }
  }

  exec(command: ExecCommand): Promise<ExecProcess> {
    return this.#execs.start(() => this.#options.startExec(command));
  }

  async stats(): Promise<ContainerStats> {
    if (this.#gone || !this.#processes) return { memoryBytes: 0, cpuMs: 0, processes: 0 };
    return readContainerStats(await this.#options.grouped, () => this.#pids());
  }

  /** Of a container that was taken back: what it was ended for before is not this server's to tell. */
  countOomFromNow(): Promise<void> {
    return this.#oom.countFromNow();
  }

  tookOom(): Promise<boolean> {
    return this.#oom.rose();
  }

  #output(stream: "stdout" | "stderr", chunk: Buffer): void {
    if (!this.#gone) this.#events.output(stream, chunk);
  }

  async #onEnd(end: MainEnd | null): Promise<void> {
    this.#isEnded = true;
    const killedByUs = this.#killedByUs;
    // What the process wrote is in the pipes by now, and a whole turn of the event loop reads them. Their end can't be
    // waited for: other processes may hold them open.
    await nextTurn();
    await nextTurn();
    const status = toExitStatus({
      // Nobody but the kernel or we can end the first process, and then it takes all others along.
      ...(end ?? { code: null, signal: "SIGKILL" }),
      killedByUs,
      oomKills: await this.#oom.kills(),
      heapExhausted: this.#oom.heap.count > 0,
    });
    this.#events.mainExited(status);
  }

  async #kill(): Promise<void> {
    // In this order: what runs is ended before anything is taken away from it, counts are read before their group
    // goes, and the folder goes last, when nobody can write to it any more.
    if (!this.#isEnded) this.#killedByUs = true;
    const { spec, grouped, lifeline, pipes } = this.#options;
    const cgroup = await grouped;
    // A runtime may wait for all that holds a program's output, which only the end of the container ends.
    const execs = this.#execs.end();
    await endTree(spec.containerId, this.#over, () => this.#signalAll(cgroup));
    await execs;
    await this.#ended;
    this.#stopWatching();
    await this.#oom.close();
    await cgroup?.remove();
    this.#gone = true;
    lifeline.destroy();
    closePipes(pipes);
    await this.#options.release();
    await this.#options.onGone();
  }

  /** The end of init is the end of its namespace. A runtime that has not got so far yet is found by its environment. */
  async #signalAll(cgroup: ContainerCgroup | null): Promise<number> {
    const { spec, runtime } = this.#options;
    const { containerId } = spec;
    // While it has not been reaped, init's number is init's.
    if (this.#processes && !this.#isOver) {
      signal(this.#processes.namespace.initPid);
      return (await cgroup?.signalAll()) ?? 0;
    }
    if (!this.#isOver) signal(runtime.pid);
    const left = (await findByContainerId(new Set([containerId]))).get(containerId) ?? [];
    for (const pid of left) signal(pid);
    return left.length + ((await cgroup?.signalAll()) ?? 0);
  }

  /** Of all but what is ours: init, the runtime, and what stands before programs that were run. */
  async #pids(): Promise<number[]> {
    const cgroup = await this.#options.grouped;
    const { namespace } = this.#processes!;
    const ours = new Set([namespace.initPid, this.#options.runtime.pid, ...this.#execs.launcherPids]);
    return (cgroup ? await cgroup.pids() : await namespace.pids()).filter((pid) => !ours.has(pid));
  }

  #watchMemory(mainPid: number): void {
    if (this.#isEnded || this.#killing) return;
    const { watch, spec } = this.#options;
    this.#stopWatching = watch.add({
      pid: mainPid,
      containerId: spec.containerId,
      limitBytes: spec.limits.memoryMib * 1024 * 1024,
      onKill: () => this.#oom.watchKilled(),
    });
  }
}
