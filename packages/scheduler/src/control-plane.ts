import type { AppRequest, AppResponse, ContainerInfo, FunctionInfo, LogLine, ServerInfo, SessionEvent, SessionRequest, StopReason } from "@samovar/protocol";

/** What the control API asks for: the gateway turns HTTP into these calls and nothing more. */
export interface ControlPlane {
  server(): ServerInfo;
  /** Begins the graceful stop of the whole server; returns at once. */
  shutdown(reason: StopReason): void;
  /** Of these contents (SHA-256, hex), the ones that must be sent. */
  missingBlobs(sha256: readonly string[]): Promise<readonly string[]>;
  /** Keeps one content. Rejects with `invalid_request` when it does not hash to its name. */
  putBlob(sha256: string, content: AsyncIterable<Buffer>): Promise<void>;
  /** A session lives until `close`; its functions, containers and routes end with it. Events go to `listener`, `opened` first. */
  openSession(request: SessionRequest, listener: (event: SessionEvent) => void): SessionHold;
  /** Builds, runs onDeploy, registers the functions and switches. All or nothing. */
  putApp(sessionId: string, request: AppRequest): Promise<AppResponse>;
  /** Resolves when its containers are gone. `drainMs` bounds how long inputs may still run; 0 ends them at once. */
  closeSession(sessionId: string, reason: StopReason, drainMs: number): Promise<void>;
  functions(): readonly FunctionInfo[];
  containers(options: { readonly all: boolean }): Promise<readonly ContainerInfo[]>;
  container(containerId: string): Promise<ContainerInfo | undefined>;
  /** False when no such container lives. Returns when the stop began. */
  stopContainer(containerId: string, options: { readonly force: boolean }): boolean;
  /** Functions whose logs can be asked for: those that are there, and those of lines that are remembered. */
  logNames(): readonly string[];
  /** What was logged last, then, with `follow`, what comes. Lines are pushed; `end` follows the last when not following. */
  logs(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void;
}

export interface SessionHold {
  readonly sessionId: string;
  /** The client hung up. */
  close(): void;
}

export interface LogQuery {
  /** A function's name. */
  readonly name: string | null;
  readonly containerId: string | null;
  /** How many of the last lines come first. */
  readonly tail: number;
  readonly follow: boolean;
}
