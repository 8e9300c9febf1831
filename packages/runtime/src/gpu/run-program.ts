import { execFile } from "node:child_process";

export interface ProgramEnd {
  /** Null where it was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of the machine to its end, and kills it when the signal aborts. Rejects with the system's error, such as
 * ENOENT, where it can't be started.
 */
export type RunProgram = (argv: readonly [string, ...string[]], signal: AbortSignal) => Promise<ProgramEnd>;

const MAX_OUTPUT_BYTES = 1024 * 1024;

export const runProgram: RunProgram = ([file, ...args], signal) =>
  new Promise((resolve, reject) => {
    const child = execFile(file, args, { maxBuffer: MAX_OUTPUT_BYTES, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      if (error instanceof Error && child.pid === undefined) reject(error);
      else resolve({ exitCode: child.exitCode, stdout, stderr });
    });
    const giveUp = (): void => {
      child.kill("SIGKILL");
      // One that waits for a dead device can't be killed: nobody waits for it here.
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
    };
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
