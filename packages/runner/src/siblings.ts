import type { ChildProcess } from "node:child_process";
import type { Writable } from "node:stream";

export interface SiblingExit {
  readonly workerIndex: number;
  readonly pid: number;
  readonly code: number | null;
  readonly signal: string | null;
}

export interface SiblingsOptions {
  /** The runner's own file. */
  readonly script: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly onExit: (exit: SiblingExit) => void;
}

const CONTROL_FD = 3;

/**
 * Workers 1 to N-1, processes beside worker 0. Each has its own connection to the server and outlives worker 0 only
 * as long as that; the pipe on descriptor 3 carries nothing but "you were asked to stop".
 */
export class Siblings {
  readonly #options: SiblingsOptions;
  readonly #children = new Map<number, ChildProcess>();
  readonly #waiting: (() => void)[] = [];

  constructor(options: SiblingsOptions) {
    this.#options = options;
  }

  spawn(workerIndex: number): void {
    if (this.#children.has(workerIndex)) return;
    // Not imported above: most containers have one worker, and the import costs every start.
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(process.execPath, [...process.execArgv, this.#options.script], {
      env: { ...this.#options.env, SAMOVAR_WORKER_INDEX: String(workerIndex), SAMOVAR_CONTROL_FD: String(CONTROL_FD) },
      stdio: ["ignore", "inherit", "inherit", "pipe"],
    });
    this.#children.set(workerIndex, child);
    this.#control(child)?.on("error", () => {});
    let over = false;
    const end = (code: number | null, signal: string | null): void => {
      if (over) return;
      over = true;
      this.#children.delete(workerIndex);
      this.#options.onExit({ workerIndex, pid: child.pid ?? 0, code, signal });
      if (this.#children.size === 0) for (const wake of this.#waiting.splice(0)) wake();
    };
    child.on("exit", end);
    // Not even started: the machine is out of processes or memory.
    child.on("error", () => child.pid === undefined && end(127, null));
  }

  /** Each lets what it holds finish, runs its stop hooks and exits. */
  stop(): void {
    for (const child of this.#children.values()) this.#control(child)?.write("s");
  }

  kill(): void {
    for (const child of this.#children.values()) child.kill("SIGKILL");
  }

  allExited(): Promise<void> {
    if (this.#children.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #control(child: ChildProcess): Writable | null {
    return (child.stdio[CONTROL_FD] ?? null) as Writable | null;
  }
}
