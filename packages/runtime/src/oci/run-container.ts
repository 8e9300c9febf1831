import { spawn, type ChildProcess } from "node:child_process";
import { writeFile } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { systemClock, type Clock } from "@samovar/kit";
import { SYSTEM_PATH } from "../container-process.ts";
import { closePipes, openPipes, type ContainerPipes, type OpenedPipes } from "../container-pipes.ts";
import type { HostAccess } from "./host-access.ts";
import { LIFELINE_FD, Lifeline } from "./lifeline.ts";
import type { OciFolder } from "./root-folder.ts";
import { toRunArguments, type RuntimeProgram } from "./runtime-program.ts";

export interface RunOptions {
  readonly containerId: string;
  readonly config: object;
  /** The container's control group is ours, and the runtime is to leave it. */
  readonly keepsGroup: boolean;
}

export interface StartedRuntime {
  readonly runtime: ChildProcess & { readonly pid: number };
  readonly pipes: ContainerPipes;
  readonly lifeline: Lifeline;
}

/** Starts the runtime over a folder that has its root. Rejects when the program itself can't be started. */
export async function runContainer(
  program: RuntimeProgram,
  access: HostAccess,
  folder: OciFolder,
  { containerId, config, keepsGroup }: RunOptions,
): Promise<StartedRuntime> {
  await writeFile(folder.config, JSON.stringify(config), { mode: 0o600 });
  const paths = {
    containerId,
    keepsGroup,
    bundle: access.inside(folder.root),
    state: access.inside(folder.state),
    logFile: access.inside(folder.logFile),
  };
  const [file, ...args] = [...access.prefix, ...toRunArguments(program, paths)];
  const opened = openPipes(folder.root);
  try {
    const child = spawnRuntime(file!, args, containerId, opened);
    if (child.pid === undefined) throw await new Promise((resolve) => child.once("error", resolve));
    const lifeline = new Lifeline(child.stdio[LIFELINE_FD] as unknown as Duplex, opened.pipes.life);
    return { runtime: child as StartedRuntime["runtime"], pipes: opened.pipes, lifeline };
  } catch (error) {
    closePipes(opened.pipes);
    throw error;
  } finally {
    opened.closeEnds();
  }
}

function spawnRuntime(file: string, args: readonly string[], containerId: string, { ends }: OpenedPipes): ChildProcess {
  return spawn(file, args, {
    cwd: "/",
    // By the container's id whoever clears up finds it, and what it has started before that has an environment of its own.
    env: { PATH: SYSTEM_PATH, SAMOVAR_CONTAINER_ID: containerId },
    stdio: ["ignore", ends.stdout, ends.stderr, "pipe", ends.life, ends.stdout, ends.stderr],
    // A process group of its own, so that a Ctrl-C at the server's terminal is not for it.
    detached: true,
  });
}

export interface RuntimeLimit {
  readonly expired: boolean;
  cancel(): void;
}

/** Ends a runtime, and all that it has started and not yet let go, when its time is over: one that hangs would hold a start, and the server's end, for ever. */
export function limitRuntime(runtime: { readonly pid: number }, timeoutMs: number, clock: Clock = systemClock): RuntimeLimit {
  const limit = { expired: false, cancel: (): void => {} };
  limit.cancel = clock.after(timeoutMs, () => {
    limit.expired = true;
    try {
      process.kill(-runtime.pid, "SIGKILL");
    } catch {
      // Ended by itself.
    }
  });
  return limit;
}
