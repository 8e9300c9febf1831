import type { AppRequest, AppResponse, ContainerInfo, FunctionInfo, LogLine, ServerInfo, SessionEvent, SessionRequest, StopReason } from "@samovar/protocol";
import type { Container, ControlPlane, LogQuery, SessionHold } from "@samovar/scheduler";
import type { Storage } from "@samovar/storage";
import type { BlobStore } from "./code/blob-store.ts";
import type { LogStore } from "./logs/log-store.ts";
import type { FunctionRegistry } from "./apps/function-registry.ts";
import type { Sessions } from "./sessions/sessions.ts";

export interface ControlOptions {
  readonly info: () => ServerInfo;
  readonly shutdown: (reason: StopReason) => void;
  readonly blobs: BlobStore;
  readonly sessions: Sessions;
  readonly registry: FunctionRegistry;
  readonly logs: LogStore;
  readonly storage: Storage;
  /** Containers that live, hook runs included, by id. */
  readonly living: ReadonlyMap<string, Container>;
}

/** How many ended containers a list shows. */
const LISTED = 200;

/** The control plane of this server: each call goes to the one part that owns the matter. */
export class Control implements ControlPlane {
  // Follow with the parts that own them.
  readonly deployments = null as never;
  readonly tokens = null as never;
  readonly exec = null as never;
  readonly scale = null as never;
  readonly #options: ControlOptions;

  constructor(options: ControlOptions) {
    this.#options = options;
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
    return this.#options.registry.list().map((entry) => entry.info());
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

  logNames(): readonly string[] {
    return [...new Set([...this.#options.registry.list().map((entry) => entry.name), ...this.#options.logs.names()])];
  }

  logs(query: LogQuery, sink: { line(line: LogLine): void; end(): void }): () => void {
    return this.#options.logs.query(query, sink);
  }
}
