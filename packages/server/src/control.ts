import {
  SamovarError,
  type AppRequest,
  type AppResponse,
  type ContainerInfo,
  type FunctionInfo,
  type LogLine,
  type ScalingPatch,
  type ServerInfo,
  type SessionEvent,
  type SessionRequest,
  type StopReason,
} from "@samovar/protocol";
import { describeNear } from "@samovar/kit";
import type { CallbackControl, Container, ControlPlane, LogQuery, ScheduleControl, SessionHold, TaskControl, TokenControl } from "@samovar/scheduler";
import type { ExecCommand, ExecProcess } from "@samovar/runtime";
import type { Storage } from "@samovar/storage";
import type { BlobStore } from "./code/blob-store.ts";
import type { Execs } from "./exec.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { FunctionRegistry } from "./apps/function-registry.ts";
import type { Deployments } from "./deployments/deployments.ts";
import type { Sessions } from "./sessions/sessions.ts";

export interface ControlOptions {
  readonly info: () => ServerInfo;
  readonly shutdown: (reason: StopReason) => void;
  readonly backup: (to: string) => Promise<void>;
  readonly blobs: BlobStore;
  readonly sessions: Sessions;
  readonly deployments: Deployments;
  readonly tokens: TokenControl;
  readonly tasks: TaskControl;
  readonly schedules: ScheduleControl;
  readonly callbacks: CallbackControl;
  readonly registry: FunctionRegistry;
  readonly execs: Execs;
  readonly logs: LogStore;
  readonly storage: Storage;
  /** Containers that live, hook runs included, by id. */
  readonly living: ReadonlyMap<string, Container>;
}

/** How many ended containers a list shows. */
const LISTED = 200;

/** The control plane of this server: each call goes to the one part that owns the matter. */
export class Control implements ControlPlane {
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
  }

  get deployments(): Deployments {
    return this.#options.deployments;
  }

  get tokens(): TokenControl {
    return this.#options.tokens;
  }

  get tasks(): TaskControl {
    return this.#options.tasks;
  }

  get schedules(): ScheduleControl {
    return this.#options.schedules;
  }

  get callbacks(): CallbackControl {
    return this.#options.callbacks;
  }

  backup(to: string): Promise<void> {
    return this.#options.backup(to);
  }

  server(): ServerInfo {
    return this.#options.info();
  }

  shutdown(reason: StopReason): void {
    this.#options.shutdown(reason);
  }

  missingBlobs(sha256: readonly string[]): Promise<readonly string[]> {
    return this.#options.blobs.missing(sha256);
  }

  putBlob(sha256: string, content: AsyncIterable<Buffer>): Promise<void> {
    return this.#options.blobs.put(sha256, content);
  }

  openSession(request: SessionRequest, listener: (event: SessionEvent) => void): SessionHold {
    return this.#options.sessions.open(request, listener);
  }

  putApp(sessionId: string, request: AppRequest): Promise<AppResponse> {
    return this.#options.sessions.putApp(sessionId, request);
  }

  closeSession(sessionId: string, reason: StopReason, drainMs: number): Promise<void> {
    return this.#options.sessions.close(sessionId, reason, drainMs);
  }

  functions(): readonly FunctionInfo[] {
    const { registry } = this.#options;
    // Of versions that no longer take their name's calls only those are of interest that have containers.
    return registry
      .list()
      .filter((entry) => entry.spec.session !== null || registry.holder(entry.name) === entry || entry.containers.length > 0 || entry.info().reason !== null)
      .map((entry) => entry.info());
  }

  async scale(idOrName: string, patch: ScalingPatch): Promise<FunctionInfo> {
    const { registry, deployments } = this.#options;
    const deployed = await deployments.scale(idOrName, patch);
    if (deployed) return deployed;
    const entry = registry.byId(idOrName) ?? registry.holder(idOrName);
    if (entry) return entry.scale(patch);
    const names = registry.list().map(({ name }) => name);
    throw new SamovarError("not_found", `No function has the name or id ${JSON.stringify(idOrName)}${describeNear(idOrName, names, "functions")}`);
  }

  exec(containerId: string, command: ExecCommand): Promise<ExecProcess> {
    return this.#options.execs.start(containerId, command);
  }

  async containers({ all }: { readonly all: boolean }): Promise<readonly ContainerInfo[]> {
    const living = [...this.#options.living.values()].map((container) => container.info());
    if (!all) return living;
    const ended = await this.#options.storage.containers.list({ includeEnded: true, limit: LISTED });
    return [...living, ...ended.filter((info) => !this.#options.living.has(info.id))];
  }

  async container(containerId: string): Promise<ContainerInfo | undefined> {
    return this.#options.living.get(containerId)?.info() ?? this.#options.storage.containers.get(containerId);
  }

  stopContainer(containerId: string, { force }: { readonly force: boolean }): boolean {
    const container = this.#options.living.get(containerId);
    if (!container) return false;
    if (force) container.kill("stopped by hand");
    else container.drain("stop", container.plan.drainTimeoutMs);
    return true;
  }

  async logNames(): Promise<readonly string[]> {
    return [...new Set([...this.#options.registry.list().map((entry) => entry.name), ...(await this.#options.logs.names())])];
  }

  logs(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void {
    return this.#options.logs.query(query, sink);
  }
}
