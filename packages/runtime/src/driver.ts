import type { DriverInfo, ExitStatus } from "@samovar/protocol";

/**
 * What starts and ends containers. A driver knows processes, limits and folders; it knows nothing of functions,
 * hooks or inputs. Everything a container needs to begin is the address of the server and a token of its own.
 *
 * Every driver passes `testkit`'s driver conformance suite; cases that need a capability name it.
 */
export interface RuntimeDriver {
  /** Detected once, at creation of the driver. */
  readonly info: DriverInfo;
  /**
   * Starts a container: its main process is the runner. Resolves as soon as the process exists; that it is usable
   * is the runner's HELLO, not this. Rejects with a SamovarError when nothing was started, and leaves nothing behind.
   */
  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer>;
  /** Kills what still runs and removes what is left. Idempotent. */
  dispose(): Promise<void>;
}

export interface ContainerSpec {
  readonly containerId: string;
  /** Labels for people who look at the machine's process list. */
  readonly functionName: string;
  /** Where the runner connects to. */
  readonly serverAddress: string;
  readonly token: string;
  /** The code's files; the driver gives the container a working folder made of them (see `materialize`). */
  readonly code: CodeMount;
  /** The user's variables. The driver adds its few own (PATH, HOME, TMPDIR, LANG, TZ); nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly limits: ContainerLimits;
}

/** A folder with the code, complete and never written to; the container sees a private, writable copy of it. */
export interface CodeMount {
  readonly codeId: string;
  readonly sourceDir: string;
  /** Relative to `sourceDir`. */
  readonly entry: string;
  /** Absolute folders that appear as `node_modules`, read only. */
  readonly nodeModules: readonly string[];
}

export interface ContainerLimits {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  readonly maxProcesses: number;
  readonly workers: number;
}

/** Pushed by the driver. `exited` is the last, exactly once, after the whole tree is gone or given up. */
export interface ContainerEvents {
  /** What processes of the container wrote to file descriptors 1 and 2, as it comes: not cut into lines. */
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  /** The main process ended. Other processes of the container may live on until `kill`. */
  mainExited(exit: ExitStatus): void;
}

export interface RunningContainer {
  readonly pid: number | null;
  /** Path of the code as processes in the container see it: where `entry` is found. */
  readonly codePath: string;
  /** SIGTERM to the main process: the runner stops gracefully. Resolves when it was sent. */
  terminate(): Promise<void>;
  /** Ends the whole tree at once and removes all that the container left. Resolves when nothing is left. Idempotent. */
  kill(): Promise<void>;
  /** Ends one process of the container (a worker whose event loop is blocked), by its pid inside the container. */
  killProcess(pid: number): Promise<void>;
  /** Memory and cpu used so far by the whole tree. */
  stats(): Promise<ContainerStats>;
  /** Whether a process of this container was ended for want of memory since the last call. */
  tookOom(): Promise<boolean>;
}

export interface ContainerStats {
  readonly memoryBytes: number;
  readonly cpuMs: number;
  readonly processes: number;
}
