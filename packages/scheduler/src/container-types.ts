import type { CallHead, ContainerId, ContainerInfo, DoneMessage, HeldInput, LoadMessage, LogLine, NetworkPolicy, Phase, SamovarError } from "@samovar/protocol";
import type { Clock, Logger } from "@samovar/kit";
import type { CodeMount, ContainerLimits, RuntimeDriver } from "@samovar/runtime";
import type { Container } from "./container.ts";
import type { ReturnFacts } from "@samovar/storage";
import type { HostCapacity } from "./host-capacity.ts";
import type { SourcedInput } from "./input-source.ts";
import type { Worker } from "./worker.ts";
import type { WorkerHub } from "./worker-hub.ts";
import type { CallControl, CallReply, WorkerPeer } from "./worker-peer.ts";

/** What all containers of a server share. */
export interface ContainerHost {
  readonly driver: RuntimeDriver;
  readonly hub: WorkerHub;
  /** What the host has room for: asked before every start. */
  readonly capacity: HostCapacity;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverAddress: string;
  /** The server's HTTP address; empty while it does not listen yet. */
  readonly serverUrl: () => string;
  /** Where a container's own token is made known, and forgotten when the container is over. Default: nowhere. */
  readonly containerTokens?: ContainerTokens;
  /** Tasks that went on in containers of an earlier server. Default: none did. */
  readonly leftInputs?: LeftInputs;
  /** State, phases or counts changed. */
  containerChanged(container: Container): void;
  log(line: LogLine, container: Container): void;
  /** User code in this container calls a function of its app. */
  call(container: Container, head: CallHead, body: Buffer, reply: CallReply): CallControl;
}

export interface ContainerTokens {
  /** `tokenHash`: SHA-256, in hex. */
  add(containerId: string, tokenHash: string, app: string): void;
  remove(containerId: string): void;
}

/** A container that an earlier server started and that may come back: its last record, and what is kept beside that. */
export interface LeftContainer {
  readonly info: ContainerInfo;
  readonly facts: ReturnFacts;
}

/** Inputs with records of their own, which may go on in a container that comes back. */
export interface LeftInputs {
  /** The one that a worker of this container says it holds; null where nobody waits for that attempt any more. Given once. */
  claim(container: { readonly id: string; readonly functionId: string }, input: HeldInput): LeftInput | null;
  /** The container is back, or won't be: what was not claimed is done again. */
  settle(containerId: string): void;
}

export interface LeftInput {
  readonly input: SourcedInput;
  /** Milliseconds since the epoch: its timeout counts from there. */
  readonly startedAtMs: number;
}

export interface ContainerPlan {
  readonly containerId: ContainerId;
  readonly load: LoadMessage;
  readonly code: CodeMount;
  readonly env: Readonly<Record<string, string>>;
  readonly limits: ContainerLimits;
  readonly network: NetworkPolicy;
  /** Devices that it was placed on. */
  readonly gpus: readonly string[];
  readonly startupTimeoutMs: number;
  /** How long inputs may still run when a stop was asked for. */
  readonly drainTimeoutMs: number;
}

/** Why a container never became ready. */
export interface StartFailure {
  readonly phase: Phase;
  readonly hook: string | null;
  readonly error: SamovarError | Error;
  readonly lastLines: readonly string[];
}

/** The pool, or the run of a build or deploy hook. */
export interface ContainerOwner {
  /** A worker can take inputs. */
  workerReady(container: Container): void;
  /** All workers are ready for the first time. */
  becameReady(container: Container): void;
  /**
   * A worker of a container of an earlier server is back, with these inputs. Returns the streams on which they go on,
   * in the same order.
   */
  resumed(worker: Worker, held: readonly HeldInput[], peer: WorkerPeer): readonly number[];
  /** It takes no more inputs, by its own doing: told so that a replacement can start. */
  retired(container: Container): void;
  /** Build or deploy hooks ran. The container and its folder stay until the promise settles. */
  hooksDone(container: Container, message: DoneMessage): Promise<void> | void;
  /** Over, once; nothing is left of it. `failure` where it never became ready and nobody asked it to stop. */
  ended(container: Container, failure: StartFailure | null): void;
}
