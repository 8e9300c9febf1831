import { spawn, type ChildProcess } from "node:child_process";
import type { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import { SamovarError, type ExitStatus } from "@samovar/protocol";
import type { ExecLaunch, OwnedExec } from "./exec-launch.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { OutputPump, turnOfTheLoop } from "./output-pump.ts";
import { signalGroup } from "./signals.ts";

/** A program with a pipe for each of its three streams. */
export async function startPipedExec(launch: ExecLaunch): Promise<OwnedExec> {
  const child = await spawnIt(launch);
  const stdout = new OutputPump(child.stdout, turnOfTheLoop);
  const stderr = new OutputPump(child.stderr, turnOfTheLoop);
  // A program need not read what it is sent.
  child.stdin.on("error", () => {});
  const exit = new Promise<ExitStatus>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ? { kind: "signal", code: null, signal } : { kind: "exit", code: code ?? 0, signal: null }));
  });
  let hasEnded = false;
  const ended = exit.then(() => {
    hasEnded = true;
    child.stdin.destroy();
    stdout.finish();
    stderr.finish();
  });
  return {
    pid: child.pid,
    stdin: child.stdin,
    stdout: stdout.output,
    stderr: stderr.output,
    ended,
    exited: Promise.all([exit, readToEnd(stdout.output), readToEnd(stderr.output)]).then(([status]) => status),
    resize() {},
    kill(signal) {
      // Its number may be another's by then.
      if (!hasEnded) signalGroup(child.pid, signal);
    },
  };
}

/** Resolves when the stream was read to its end, or given up by its reader. */
export const readToEnd = (stream: Readable): Promise<void> => finished(stream, { writable: false }).catch(() => {});

type Spawned = ChildProcess & {
  readonly pid: number;
  readonly stdin: NonNullable<ChildProcess["stdin"]>;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

async function spawnIt({ file, args, cwd, env }: ExecLaunch): Promise<Spawned> {
  let cause: unknown;
  try {
    const child = spawn(file, args, { cwd, env, stdio: "pipe", detached: true });
    if (child.pid !== undefined) {
      child.on("error", () => {});
      return child as Spawned;
    }
    cause = await new Promise((resolve) => child.once("error", resolve));
  } catch (error) {
    cause = error;
  }
  throw cantRun(file, cause);
}

/** It was there when it was looked for: what is wrong is with how it is made, or with the machine. */
export function cantRun(file: string, cause: unknown): SamovarError {
  return new SamovarError("invalid_request", `${file} can't be run: ${(cause as Error).message}`, { cause, fields: { exitCode: EXIT_CODES.cannotRun } });
}
