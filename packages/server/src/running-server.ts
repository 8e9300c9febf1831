import type { ServerInfo, StopReason } from "@samovar/protocol";

export interface SamovarServer {
  readonly url: string;
  readonly adminToken: string;
  readonly info: ServerInfo;
  /** No session is open: an embedded server that nobody waits for any more can end. */
  readonly isLonely: boolean;
  /** Graceful: inputs finish, stop hooks run. The second call ends it at once. */
  shutdown(reason: StopReason): void;
  /** Resolves when nothing of it is left; rejects with what went wrong on the way. */
  readonly closed: Promise<void>;
}

const MAX_DRAIN_MS = 300_000;

/** A server once all of it is built: what it is asked for, and how it goes. */
export interface Running {
  readonly url: string;
  readonly adminToken: string;
  readonly info: () => ServerInfo;
  readonly isLonely: () => boolean;
  readonly drain: (reason: StopReason, drainMs: number) => Promise<void>;
  readonly finish: () => Promise<void>;
}

/** States: starting → running → draining → finishing → closed. `shutdown` moves it on; a second one ends the drain. */
export class RunningServer implements SamovarServer {
  readonly #closed = Promise.withResolvers<void>();
  #running: Running | null = null;
  #draining = false;
  #asked: StopReason | null = null;

  begin(running: Running): void {
    this.#running = running;
    if (this.#asked) this.shutdown(this.#asked);
  }

  get url(): string {
    return this.#running!.url;
  }

  get adminToken(): string {
    return this.#running!.adminToken;
  }

  get info(): ServerInfo {
    return this.#running!.info();
  }

  get isLonely(): boolean {
    return this.#running!.isLonely();
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  shutdown(reason: StopReason): void {
    this.#asked ??= reason;
    const running = this.#running;
    if (!running) return;
    if (this.#draining) return void running.drain(reason, 0);
    this.#draining = true;
    running
      .drain(reason, MAX_DRAIN_MS)
      .then(() => running.finish())
      .then(this.#closed.resolve, this.#closed.reject);
  }
}
