import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ContainerCgroup } from "./container-cgroup.ts";
import { removeFolder, type ContainerFolder } from "./container-folder.ts";
import type { ContainerEvents, ContainerSpec, ContainerStats, ExecCommand, ExecProcess, RunningContainer } from "./driver.ts";
import { toExitStatus } from "./exit-status.ts";
import { HeapExhaustion } from "./heap-exhaustion.ts";
import type { MemoryWatch } from "./memory-watch.ts";
import { familyOf, findByContainerId, isAlive, readProcessTable, type ProcessEntry } from "./process-table.ts";

/** A process that SIGKILL does not end within this hangs in the kernel. */
const KILL_TIMEOUT_MS = 10_000;

export interface ProcessContainerOptions {
  readonly spec: ContainerSpec;
  readonly child: ChildProcess & { readonly pid: number };
  readonly folder: ContainerFolder;
  /** Settles when the process is in its group; null when there is none. Never rejects. */
  readonly placed: Promise<ContainerCgroup | null>;
  readonly events: ContainerEvents;
  readonly watch: MemoryWatch;
  /** Whether the groups hold the memory limit. */
  readonly memoryEnforced: boolean;
  readonly logger: Logger;
  onGone(): void;
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
  readonly #heap = new HeapExhaustion();
  /** The main process exited and `mainExited` was called. */
  readonly #ended: Promise<void>;
  #isEnded = false;
  /** Once all of a process group have ended its number may be given to another, which must not be hit. */
  #hasGroup = true;
  #killedByUs = false;
  #killing: Promise<void> | null = null;
  #gone = false;
  #stopWatching: () => void = () => {};
  #watchKills = 0;
  /** What the group had counted when it was removed. */
  #lastOomKills = 0;
  #oomTold = 0;

  constructor(options: ProcessContainerOptions) {
    this.#options = options;
    this.pid = options.child.pid;
    this.codePath = options.folder.work;
    this.codeDir = options.folder.work;
    const { stdout, stderr } = options.child;
    stdout!.on("data", (chunk: Buffer) => this.#output("stdout", chunk));
    stderr!.on("data", (chunk: Buffer) => {
      this.#heap.push(chunk);
      this.#output("stderr", chunk);
    });
    // A pipe that breaks ends like one that closes.
    for (const stream of [stdout!, stderr!]) stream.on("error", () => {});
    this.#ended = new Promise((resolve) => {
      options.child.once("exit", (code, signal) => void this.#onExit(code, signal).then(resolve));
    });
    void options.placed.then((cgroup) => {
      if (!(cgroup && options.memoryEnforced)) this.#watchMemory();
    });
  }

  async terminate(): Promise<void> {
    if (!this.#isEnded) this.#options.child.kill("SIGTERM");
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

  exec(_command: ExecCommand): Promise<ExecProcess> {
    return Promise.reject(new SamovarError("unsupported", "The process driver can't run programs in its containers yet"));
  }

  async stats(): Promise<ContainerStats> {
    if (this.#gone) return { memoryBytes: 0, cpuMs: 0, processes: 0 };
    const cgroup = await this.#options.placed;
    const [pids, memoryBytes, cpuMs] = await Promise.all([this.#pids(), cgroup?.memoryBytes() ?? null, cgroup?.cpuMs() ?? null]);
    if (memoryBytes !== null && cpuMs !== null) return { memoryBytes, cpuMs, processes: pids.length };
    const table = await readProcessTable();
    const entries = pids.flatMap((pid) => table.get(pid) ?? []);
    return {
      memoryBytes: memoryBytes ?? entries.reduce((sum, entry) => sum + entry.memoryBytes, 0),
      cpuMs: cpuMs ?? entries.reduce((sum, entry) => sum + entry.cpuMs, 0),
      processes: pids.length,
    };
  }

  async tookOom(): Promise<boolean> {
    const count = (await this.#oomKills()) + this.#heap.count;
    const rose = count > this.#oomTold;
    this.#oomTold = count;
    return rose;
  }

  #output(stream: "stdout" | "stderr", chunk: Buffer): void {
    if (!this.#gone) this.#tell(() => this.#options.events.output(stream, chunk));
  }

  async #onExit(code: number | null, exitSignal: string | null): Promise<void> {
    this.#isEnded = true;
    this.#hasGroup = isAlive(-this.pid);
    const killedByUs = this.#killedByUs;
    // What the process wrote is in the pipes by now, and a whole turn of the event loop reads them. Their end can't be
    // waited for: other processes may hold them open.
    await nextTurn();
    await nextTurn();
    const status = toExitStatus({ code, signal: exitSignal, killedByUs, oomKills: await this.#oomKills(), heapExhausted: this.#heap.count > 0 });
    this.#tell(() => this.#options.events.mainExited(status));
  }

  async #kill(): Promise<void> {
    // In this order: what runs is ended before anything is taken away from it, counts are read before their group
    // goes, and the folder goes last, when nobody can write to it any more.
    if (!this.#isEnded) this.#killedByUs = true;
    this.#signalGroup();
    const cgroup = await this.#options.placed;
    await this.#endTree(cgroup);
    await this.#ended;
    this.#stopWatching();
    this.#lastOomKills = (await cgroup?.oomKills()) ?? this.#lastOomKills;
    await cgroup?.remove();
    this.#gone = true;
    this.#options.child.stdout!.destroy();
    this.#options.child.stderr!.destroy();
    await removeFolder(this.#options.folder.root);
    this.#options.onGone();
  }

  /** Until nothing is left: a process may fork between the look and the signal. */
  async #endTree(cgroup: ContainerCgroup | null): Promise<void> {
    const startedMs = performance.now();
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 50)) {
      const left = cgroup ? await cgroup.signalAll() : await this.#signalFamily();
      if (left === 0 && this.#isEnded) return;
      if (performance.now() - startedMs > KILL_TIMEOUT_MS)
        throw new SamovarError("internal", `Container ${this.#options.spec.containerId} can't be ended: ${left} processes survive SIGKILL`);
      // The main process is the last to go as a rule: its end is the event to look again at.
      await (this.#isEnded ? sleep(pauseMs) : within(this.#ended, pauseMs));
    }
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

  async #oomKills(): Promise<number> {
    const cgroup = await this.#options.placed;
    if (!this.#gone && cgroup) this.#lastOomKills = Math.max(this.#lastOomKills, await cgroup.oomKills());
    return this.#lastOomKills + this.#watchKills;
  }

  #watchMemory(): void {
    if (this.#isEnded || this.#killing) return;
    const { watch, spec, logger } = this.#options;
    this.#stopWatching = watch.add({
      pid: this.pid,
      limitBytes: spec.limits.memoryMib * 1024 * 1024,
      onOverLimit: (largest: ProcessEntry) => {
        this.#watchKills++;
        logger.info(
          { containerId: spec.containerId, pid: largest.pid, memoryBytes: largest.memoryBytes },
          "A process is ended: its container is over its memory limit",
        );
        signal(largest.pid);
      },
    });
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#options.logger.error({ containerId: this.#options.spec.containerId, error }, "A listener of container events threw");
    }
  }
}

/**
 * Waits for `work`, at most this long. In real time and holding this process alive, unlike the clock's timers: what
 * is waited for is the kernel, and a server on its way out must not exit before its containers are gone.
 */
async function within(work: Promise<unknown>, delayMs: number): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  await Promise.race([work, late]);
  clearTimeout(timer);
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function signal(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Gone already: what was wanted.
  }
}
