import type { Readable, Writable } from "node:stream";
import type { DriverInfo, ExitStatus, NetworkPolicy } from "@samovar/protocol";

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
   * Starts a container: its main process is the runner. Resolves when the process exists and its code is in place;
   * that it is usable is the runner's HELLO, which may come before this resolves: nothing may be loaded from
   * `codePath` until it has. Rejects with a SamovarError when nothing was started, and leaves nothing behind.
   */
  start(spec: ContainerSpec, events: ContainerEvents): Promise<RunningContainer>;
  /** Ids of containers whose main processes live, and whose server, of this home, does not: those that can be taken back. */
  left(): Promise<ReadonlySet<string>>;
  /**
   * Takes over a container that a server of this home which died had started, and whose main process lives. To be asked for when a
   * worker of it has said HELLO; until then it is left alone as all that a dead server left. From then on it is as one
   * that this driver started: `kill` removes all of it, and what it writes is pushed, with the last of
   * what it wrote meanwhile. How its main process ended may not be known: `mainExited` then tells `lost`. Rejects with `not_found` where
   * no main process of it lives, with `unsupported` without the capability `takeBack`.
   */
  takeBack(spec: Omit<ContainerSpec, "token">, events: ContainerEvents): Promise<RunningContainer>;
  /**
   * Ends what a dead server left and nobody has taken back, or will: it has so long to end by itself, and is killed then. Resolves
   * when nothing of it is there. While it waits it may be called again, with less.
   */
  endLeft(waitMs: number): Promise<void>;
  /** Kills what still runs and removes what is left of it; starts on their way are rejected. Idempotent. */
  dispose(): Promise<void>;
}

export interface ContainerSpec {
  readonly containerId: string;
  /** Labels for people who look at the machine's process list. */
  readonly functionName: string;
  /**
   * Where the runner connects to. A socket's path: its folder holds nothing else and stays, since containers with a root of their own see
   * that, and it stands in one that keeps others of this machine from both.
   */
  readonly serverAddress: string;
  readonly token: string;
  /** The code's files; the driver gives the container a working folder made of them (see `materialize`). */
  readonly code: CodeMount;
  /**
   * The user's variables. Beside them stand the driver's defaults (PATH, HOME, TMPDIR, LANG, TZ), which they may
   * replace, and SAMOVAR_CONTAINER_ID, SAMOVAR_TOKEN, SAMOVAR_SERVER and SAMOVAR_URL, which they may not; nothing is
   * inherited.
   */
  readonly env: Readonly<Record<string, string>>;
  /** The server's HTTP address, for clients in the container that use its token. */
  readonly serverUrl: string;
  /**
   * A folder of this machine, or one that is to be made, that containers of this code may write to and find again: at the
   * same path inside. Null: none.
   */
  readonly cacheDir?: string | null;
  readonly limits: ContainerLimits;
  /** One of the driver's `networkModes`: others are refused with `unsupported`. */
  readonly network: NetworkPolicy;
  /** Ids of `info.gpus` that this container gets, chosen by whoever places it. */
  readonly gpus: readonly string[];
}

/** A folder with the code, complete and never written to; the container sees a private, writable copy of it. */
export interface CodeMount {
  readonly codeId: string;
  readonly sourceDir: string;
  /** Relative to `sourceDir`. */
  readonly entry: string;
  /** Absolute folders that appear, merged, as the code's `node_modules`; for names in several the first one counts. */
  readonly nodeModules: readonly string[];
}

export interface ContainerLimits {
  readonly cpuMillis: number;
  readonly memoryMib: number;
  /** Processes and threads, as the kernel counts them: a Node process has about a dozen. */
  readonly maxProcesses: number;
  /** What it may write to its own root, code folder and temporary files together. */
  readonly diskMib: number;
  readonly workers: number;
}

/** Pushed by the driver, only between the call of `start` and the end of `kill`. What they throw is logged, not passed on. */
export interface ContainerEvents {
  /** What processes of the container wrote to file descriptors 1 and 2, as it comes: not cut into lines. */
  output(stream: "stdout" | "stderr", chunk: Buffer): void;
  /**
   * The main process ended; exactly once, after the output it wrote, and before `kill` resolves. Other processes of
   * the container may live on, and its folder stays, until `kill`: always call it.
   */
  mainExited(exit: ExitStatus): void;
}

export interface RunningContainer {
  /** The main process as this machine numbers it. In there, and so in its HELLO, it may go by another number. */
  readonly pid: number | null;
  /** Path of the code as processes in the container see it: where `entry` is found. */
  readonly codePath: string;
  /** The same folder as this machine sees it, there until `kill`: what a build wrote is taken from it. */
  readonly codeDir: string;
  /** SIGTERM to the main process: the runner stops gracefully. Resolves when it was sent; harmless when it has ended. */
  terminate(): Promise<void>;
  /** Ends the whole tree at once and removes all that the container left. Resolves when nothing is left. Idempotent. */
  kill(): Promise<void>;
  /**
   * Ends one process of the container (a worker whose event loop is blocked), by its pid inside the container.
   * A pid that is not, or no longer, a process of this container is left alone.
   */
  killProcess(pid: number): Promise<void>;
  /**
   * Runs another program in the container: same isolation, limits, user, variables and working folder. Rejects with
   * `unsupported` without the capability `exec`, with `not_found` where there is no such program. It ends with the
   * container.
   */
  exec(command: ExecCommand): Promise<ExecProcess>;
  /** Memory and cpu used so far by the whole tree. */
  stats(): Promise<ContainerStats>;
  /** Whether a process of this container was ended for want of memory since the last call. Answers after `kill` too. */
  tookOom(): Promise<boolean>;
}

export interface ContainerStats {
  readonly memoryBytes: number;
  readonly cpuMs: number;
  readonly processes: number;
}

export interface ExecCommand {
  /** Program and arguments, no shell. */
  readonly argv: readonly string[];
  /** Beside the container's own variables. */
  readonly env: Readonly<Record<string, string>>;
  /** As the container sees it; null: the code's folder. */
  readonly cwd: string | null;
  /** A terminal of this size, which carries stdout and stderr together; null for pipes. */
  readonly terminal: TerminalSize | null;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecProcess {
  /** Ended by `end()`: the program reads an end of file. */
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Null with a terminal. */
  readonly stderr: Readable | null;
  /** Without a terminal it does nothing. */
  resize(size: TerminalSize): void;
  /** To the program, as `SIGTERM`; harmless when it has ended. */
  kill(signal: string): void;
  /** Settles once, after the last output. Never rejects. */
  readonly exited: Promise<ExitStatus>;
}
