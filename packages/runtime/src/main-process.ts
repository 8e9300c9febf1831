import type { ChildProcess } from "node:child_process";
import { signal } from "./container-ending.ts";
import { PipeReader, closePipes, type ContainerPipes } from "./container-pipes.ts";

/** How a process ended, as its parent is told. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The main process of a container of the process driver. */
export interface MainProcess {
  readonly pid: number;
  readonly stdout: PipeReader;
  readonly stderr: PipeReader;
  /** Null: somebody else is its parent, and nobody can tell. */
  readonly ended: Promise<ProcessEnd | null>;
  /** Sends SIGTERM; only while it has not ended. */
  terminate(): void;
  /** Lets go of what it wrote. */
  release(): void;
}

/** Of a child of this process. Without pipes of its container it has those of Node. */
export function toMainProcess(child: ChildProcess & { readonly pid: number }, pipes: ContainerPipes | null): MainProcess {
  const { stdout, stderr } = pipes ?? { stdout: new PipeReader(child.stdout!), stderr: new PipeReader(child.stderr!) };
  return {
    ...{ pid: child.pid, stdout, stderr },
    ended: new Promise((resolve) => child.once("exit", (code, name) => resolve({ code, signal: name }))),
    terminate: () => void child.kill("SIGTERM"),
    release: () => (pipes ? closePipes(pipes) : [stdout, stderr].forEach((pipe) => pipe.close())),
  };
}

/** Of a server that died: Node gives descriptors above 2 to no program that it starts, so the end of `life` is its own. */
export function toTakenProcess(pid: number, pipes: ContainerPipes): MainProcess {
  return {
    ...{ pid, stdout: pipes.stdout, stderr: pipes.stderr },
    ended: pipes.life.closed.then(() => null),
    terminate: () => void signal(pid, "SIGTERM"),
    release: () => closePipes(pipes),
  };
}
