import type {
  AppRequest,
  AppResponse,
  ContainerInfo,
  CreatedToken,
  DeployEvent,
  DeployRequest,
  DeployResponse,
  DeploymentDetail,
  DeploymentInfo,
  FunctionInfo,
  LogLine,
  ScalingPatch,
  ServerInfo,
  SessionEvent,
  SessionRequest,
  StopReason,
  TokenInfo,
  TokenRequest,
} from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/runtime";
import type { CallbackControl, ScheduleControl, TaskControl } from "./task-control.ts";

export type { ExecCommand, ExecProcess } from "@samovar/runtime";

/** What the control API asks for: the gateway turns HTTP into these calls and nothing more. */
export interface ControlPlane {
  readonly deployments: DeploymentControl;
  readonly tokens: TokenControl;
  readonly tasks: TaskControl;
  readonly schedules: ScheduleControl;
  readonly callbacks: CallbackControl;
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
  /** Runs a program in a container. Rejects with `not_found` when no such container lives. */
  exec(containerId: string, command: ExecCommand): Promise<ExecProcess>;
  /** Changes a live pool. By id, else by name. Rejects with `not_found`, or `invalid_option` for a floor above the ceiling. */
  scale(idOrName: string, patch: ScalingPatch): Promise<FunctionInfo>;
  /**
   * Copies all that was acknowledged to a new file on the server's machine, while work goes on. Rejects with `conflict`
   * where there is such a file, and `invalid_request` for a path that is not absolute.
   */
  backup(to: string): Promise<void>;
  /** Functions whose logs can be asked for: those that are there, and those of lines that are kept. */
  logNames(): Promise<readonly string[]>;
  /** What was logged last, also before this server was there, in order of time, then, with `follow`, what comes. Lines are pushed; `end` follows the last when not following. */
  logs(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void;
}

/** What is deployed. Names that aren't reject with `not_found` and name near ones. */
export interface DeploymentControl {
  /** Makes the next version of each function and switches; nothing changes when it rejects or `signal` fires before. */
  deploy(request: DeployRequest, emit: (event: DeployEvent) => void, signal: AbortSignal): Promise<DeployResponse>;
  list(): readonly DeploymentInfo[];
  get(name: string): DeploymentDetail;
  stop(name: string): Promise<DeploymentInfo>;
  start(name: string): Promise<DeploymentInfo>;
  /** To `version`, or the newest one before the active one. Without a hook run, without a failed request. */
  rollback(name: string, version: number | null): Promise<DeploymentInfo>;
  /** The app to what it was before its last deploy: each function of that to its version before. */
  rollbackApp(app: string): Promise<readonly DeploymentInfo[]>;
  /** One version that isn't active, or with null all of it. Resolves when it is gone; its containers drain behind. */
  delete(name: string, version: number | null): Promise<void>;
}

export interface TokenControl {
  create(request: TokenRequest): Promise<CreatedToken>;
  list(): Promise<readonly TokenInfo[]>;
  /** By id or name. False when there is none. */
  revoke(idOrName: string): Promise<boolean>;
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
  /** Only what was logged while one handled this task. */
  readonly taskId?: string;
  /** How many of the last lines come first. */
  readonly tail: number;
  readonly follow: boolean;
}
