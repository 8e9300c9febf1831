import type { ExecProcess, TerminalSize } from "../driver.ts";

/** A program to start, with all that a driver decides settled: nothing is looked up or inherited any more. */
export interface ExecLaunch {
  /** Absolute. */
  readonly file: string;
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute, and there. */
  readonly cwd: string;
  readonly terminal: TerminalSize | null;
}

/** An exec as its container holds it. */
export interface OwnedExec extends ExecProcess {
  /** The program's process, the leader of a session and a process group of its own. */
  readonly pid: number;
  /** What stands before it and is no part of the container, though it may be in the container's control group. */
  readonly launcherPid?: number;
  /** `innerPid`: a process whose own terminal, within this one, gets the size too. */
  resize(size: TerminalSize, innerPid?: number): void;
  /** Settles when the program's process has ended; what it wrote may still be on its way. Never rejects. */
  readonly ended: Promise<void>;
}
