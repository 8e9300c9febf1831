import type { Duplex } from "node:stream";
import type { Clock } from "@samovar/kit";
import { SamovarError, type DriverCapabilities, type DriverInfo } from "@samovar/protocol";
import type { ContainerEvents, ContainerSpec, ContainerStats, RunningContainer, RuntimeDriver } from "./driver.ts";
import { FakeContainer, type FakeContainerControl, type RunWorker } from "./fake-container.ts";

export interface FakeDriverOptions {
  /** Plays worker 0 of each container. */
  readonly runWorker: RunWorker;
  /** Gets the server's end of each connection, as the server's socket would get it. */
  accept(connection: Duplex, spec: ContainerSpec): void;
  readonly clock: Clock;
  /** What differs from a driver that holds every limit. */
  readonly capabilities?: Partial<DriverCapabilities>;
}

/** How one start goes. */
export interface FakeStartScript {
  /** `start` takes this long. */
  readonly startDelayMs?: number;
  /** `start` rejects with this, after the delay. */
  readonly failWith?: Error;
  /** The process exists but does not connect for this long; Infinity: never. */
  readonly bootDelayMs?: number;
}

export interface FakeCall {
  readonly method: "start" | "terminate" | "kill" | "killProcess" | "stats" | "tookOom" | "dispose";
  /** Null for `dispose`. */
  readonly containerId: string | null;
  readonly atMs: number;
}

export interface FakeDriver extends RuntimeDriver {
  /** Scripts the next start that has no script yet; call it again for the one after. */
  next(script: FakeStartScript): void;
  /** Throws for a container that is not there, or no more. */
  control(containerId: string): FakeContainerControl;
  /** Of all containers that were started and not killed, oldest first. */
  readonly containers: readonly FakeContainerControl[];
  readonly calls: readonly FakeCall[];
}

const CAPABILITIES: DriverCapabilities = {
  isolation: "none",
  ownRoot: false,
  memoryLimit: "enforced",
  cpuLimit: "enforced",
  processLimit: "enforced",
  killTree: true,
  networkModes: ["host"],
  checkpoint: false,
  gpu: false,
  diskLimit: "none",
  userNamespace: false,
  exec: false,
  takeBack: false,
};
/** Above what Linux hands out, so that a pid that leaks into a real `kill` hits nothing. */
const FIRST_PID = 2 ** 22 + 1;

/** Containers without processes: their workers run in this process, time is the clock's, and they fail on command. */
export function createFakeDriver(options: FakeDriverOptions): FakeDriver {
  return new ScriptedDriver(options);
}

/** States: open → disposed. */
class ScriptedDriver implements FakeDriver {
  readonly info: DriverInfo;
  readonly calls: FakeCall[] = [];
  readonly #options: FakeDriverOptions;
  readonly #scripts: FakeStartScript[] = [];
  readonly #containers = new Map<string, FakeContainer>();
  readonly #cancelDelays = new Set<() => void>();
  #lastPid = FIRST_PID - 1;
  #disposed = false;

  constructor(options: FakeDriverOptions) {
    this.#options = options;
    this.info = {
      name: "fake",
      capabilities: { ...CAPABILITIES, ...options.capabilities },
      missing: ["Nothing is isolated: containers are played by the test's own process"],
      gpus: [],
    };
  }

  get containers(): readonly FakeContainerControl[] {
    return [...this.#containers.values()];
  }

  next(script: FakeStartScript): void {
    this.#scripts.push(script);
  }

  control(containerId: string): FakeContainerControl {
    const container = this.#containers.get(containerId);
    if (!container) throw new Error(`No fake container ${containerId}: there are ${[...this.#containers.keys()].join(", ") || "none"}`);
    return container;
  }

  async start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer> {
    this.#record("start", spec.containerId);
    const { startDelayMs = 0, failWith, bootDelayMs = 0 } = this.#scripts.shift() ?? {};
    if (startDelayMs > 0) await this.#delay(startDelayMs);
    if (this.#disposed) throw new SamovarError("shutting_down", "No container is started any more: the driver was disposed");
    if (failWith) throw failWith;
    if (this.#containers.has(spec.containerId)) throw new SamovarError("internal", `A container with the id ${spec.containerId} is there already`);
    const container = new FakeContainer({ spec, events, runWorker: this.#options.runWorker, accept: this.#options.accept, nextPid: () => ++this.#lastPid });
    this.#containers.set(spec.containerId, container);
    if (bootDelayMs === 0) queueMicrotask(() => container.boot());
    else if (bootDelayMs !== Infinity) void this.#delay(bootDelayMs).then(() => container.boot());
    return this.#toRunning(container);
  }

  async endLeft(): Promise<void> {}

  async left(): Promise<ReadonlySet<string>> {
    return new Set();
  }

  takeBack(): Promise<RunningContainer> {
    return Promise.reject(new SamovarError("unsupported", "The fake driver's containers end with the process that plays them"));
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#record("dispose", null);
    this.#disposed = true;
    for (const cancel of [...this.#cancelDelays]) cancel();
    for (const container of [...this.#containers.values()]) this.#kill(container);
  }

  #toRunning(container: FakeContainer): RunningContainer {
    const { containerId } = container.spec;
    let oomTold = 0;
    return {
      pid: container.mainPid,
      codePath: container.spec.code.sourceDir,
      codeDir: container.spec.code.sourceDir,
      exec: () => Promise.reject(new SamovarError("unsupported", "The fake driver's containers have no processes")),
      terminate: async () => {
        this.#record("terminate", containerId);
        container.terminate();
      },
      kill: async () => {
        this.#record("kill", containerId);
        this.#kill(container);
      },
      killProcess: async (pid) => {
        this.#record("killProcess", containerId);
        container.crash({ pid, signal: "SIGKILL" });
      },
      stats: async (): Promise<ContainerStats> => {
        this.#record("stats", containerId);
        return { memoryBytes: container.pids.length * 1024 * 1024, cpuMs: 0, processes: container.pids.length };
      },
      tookOom: async () => {
        this.#record("tookOom", containerId);
        const rose = container.oomKills > oomTold;
        oomTold = container.oomKills;
        return rose;
      },
    };
  }

  #kill(container: FakeContainer): void {
    container.kill();
    if (this.#containers.get(container.spec.containerId) === container) this.#containers.delete(container.spec.containerId);
  }

  /** Ends early, too, when the driver is disposed. */
  #delay(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(delayMs, () => end());
      const end = (): void => {
        this.#cancelDelays.delete(end);
        cancel();
        resolve();
      };
      this.#cancelDelays.add(end);
    });
  }

  #record(method: FakeCall["method"], containerId: string | null): void {
    this.calls.push({ method, containerId, atMs: this.#options.clock.now() });
  }
}
