import type { Logger } from "@samovar/kit";
import type { ContainerCgroup } from "./container-cgroup.ts";
import { endTree, nextTurn, signal } from "./container-ending.ts";
import { readContainerStats } from "./container-stats.ts";
import { removeFolder, type ContainerFolder } from "./container-folder.ts";
import type { ContainerEvents, ContainerSpec, ContainerStats, ExecCommand, ExecProcess, RunningContainer } from "./driver.ts";
import { ExecSet } from "./exec/exec-set.ts";
import { placeInGroups } from "./exec/placed-command.ts";
import { planProcessExec } from "./exec/plan-process-exec.ts";
import { startExec } from "./exec/start-exec.ts";
import { UNKNOWN_END, toExitStatus } from "./exit-status.ts";
import { guardEvents } from "./guarded-events.ts";
import type { MainProcess, ProcessEnd } from "./main-process.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import { OomCount } from "./oom-count.ts";
import { familyOf, findByContainerId, isAlive, readProcessTable } from "./process-table.ts";

export interface ProcessContainerOptions {
  readonly spec: Omit<ContainerSpec, "token">;
  readonly main: MainProcess;
  readonly folder: ContainerFolder;
  /** What its process was started with. */
  readonly environment: Readonly<Record<string, string>>;
  /** Settles when the process is in its group; null when there is none. Never rejects. */
  readonly placed: Promise<ContainerCgroup | null>;
  readonly events: ContainerEvents;
  readonly watch: MemoryWatch;
  /** Whether the groups hold the memory limit. */
  readonly memoryEnforced: boolean;
  readonly logger: Logger;
  /** All of it is gone. */
  onGone(): void | Promise<void>;
}

/**
 * One container of the process driver.
 *
 * States: running → ended (the main process exited; told by `mainExited`) → gone (`kill` has removed all). `kill`
 * leads from any state to gone, by way of ended.
 */
export class ProcessContainer implements RunningContainer {
  readonly pid: number;
  readonly codePath: string;
  readonly codeDir: string;
  readonly #options: ProcessContainerOptions;
  readonly #events: ContainerEvents;
  readonly #oom: OomCount;
  readonly #execs = new ExecSet();
  /** The main process exited and `mainExited` was called. */
  readonly #ended: Promise<void>;
  #isEnded = false;
  /** Once all of a process group have ended its number may be given to another, which must not be hit. */
  #hasGroup = true;
  #killedByUs = false;
  #killing: Promise<void> | null = null;
  #gone = false;
  #stopWatching: () => void = () => {};

  constructor(options: ProcessContainerOptions) {
    this.#options = options;
    this.#events = guardEvents(options.events, options.spec.containerId, options.logger);
    this.pid = options.main.pid;
    this.codePath = options.folder.work;
    this.codeDir = options.folder.work;
    this.#oom = new OomCount(options.placed);
    options.main.stdout.read((chunk) => this.#output("stdout", chunk));
    options.main.stderr.read((chunk) => {
      this.#oom.heap.push(chunk);
      this.#output("stderr", chunk);
    });
    this.#ended = options.main.ended.then((end) => this.#onEnd(end));
    void options.placed.then((cgroup) => {
      if (!(cgroup && options.memoryEnforced)) this.#watchMemory();
    });
  }

  async terminate(): Promise<void> {
    if (!this.#isEnded) this.#options.main.terminate();
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
    if (this.#gone || !(await this.#pids()).includes(pid)) return;
    if (pid === this.pid) this.#killedByUs = true;
    signal(pid);
  }

  exec(command: ExecCommand): Promise<ExecProcess> {
    const { environment, spec, placed } = this.#options;
    return this.#execs.start(async () => {
      const launch = await planProcessExec(command, { containerId: spec.containerId, environment, codePath: this.codePath });
      return startExec(placeInGroups(launch, (await placed)?.procsFiles ?? []));
    });
  }

  async stats(): Promise<ContainerStats> {
    if (this.#gone) return { memoryBytes: 0, cpuMs: 0, processes: 0 };
    return readContainerStats(await this.#options.placed, () => this.#pids());
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

  async #onEnd(end: ProcessEnd | null): Promise<void> {
    this.#isEnded = true;
    this.#hasGroup = isAlive(-this.pid);
    const killedByUs = this.#killedByUs;
    // What the process wrote is in the pipes by now, and a whole turn of the event loop reads them. Their end can't be
    // waited for: other processes may hold them open.
    await nextTurn();
    await nextTurn();
    // Whose parent is somebody else has ended as we made it, or nobody knows how.
    const known = end ?? (killedByUs ? { code: null, signal: "SIGKILL" } : null);
    const status = toExitStatus({ ...(known ?? UNKNOWN_END), killedByUs, oomKills: await this.#oom.kills(), heapExhausted: this.#oom.heap.count > 0 });
    this.#events.mainExited(status);
  }

  async #kill(): Promise<void> {
    // In this order: what runs is ended before anything is taken away from it, counts are read before their group
    // goes, and the folder goes last, when nobody can write to it any more.
    if (!this.#isEnded) this.#killedByUs = true;
    this.#signalGroup();
    const cgroup = await this.#options.placed;
    await this.#execs.end();
    await endTree(this.#options.spec.containerId, this.#ended, () => (cgroup ? cgroup.signalAll() : this.#signalFamily()));
    this.#stopWatching();
    await this.#oom.close();
    await cgroup?.remove();
    this.#gone = true;
    this.#options.main.release();
    await removeFolder(this.#options.folder.root);
    await this.#options.onGone();
  }

  async #signalFamily(): Promise<number> {
    const pids = await this.#family();
    this.#signalGroup();
    for (const pid of pids) signal(pid);
    return pids.length;
  }

  async #pids(): Promise<number[]> {
    const cgroup = await this.#options.placed;
    return cgroup ? cgroup.pids() : this.#family();
  }

  /** Processes of this container where no group knows them. */
  async #family(): Promise<number[]> {
    const { containerId } = this.#options.spec;
    const [table, byId] = await Promise.all([readProcessTable(), findByContainerId(new Set([containerId]))]);
    const alive = (byId.get(containerId) ?? []).filter((pid) => table.has(pid));
    const family = this.#hasGroup ? familyOf(table, this.pid).map((entry) => entry.pid) : [];
    return [...new Set([...alive, ...family])];
  }

  #signalGroup(): void {
    if (this.#hasGroup) signal(-this.pid);
  }

  #watchMemory(): void {
    if (this.#isEnded || this.#killing) return;
    const { watch, spec } = this.#options;
    this.#stopWatching = watch.add({
      pid: this.pid,
      containerId: spec.containerId,
      limitBytes: spec.limits.memoryMib * 1024 * 1024,
      onKill: () => this.#oom.watchKilled(),
    });
  }
}
