import type { Duration, TaskChange } from "@samovar/protocol";
import { TaskHandle } from "../handles/task-handle.ts";
import type { HttpTransport } from "./http-transport.ts";

export interface ResultOptions {
  /** `true`: as long as it takes, the default. A duration: so long at most. `false`: not at all. */
  readonly wait?: boolean | Duration;
  /** Aborting it ends the waiting, not the task. */
  readonly signal?: AbortSignal;
}

/** A task as another process sees it: a handle with two more ways to look. */
export class ClientTask<O = unknown> extends TaskHandle<O> {
  readonly #transport: HttpTransport;

  constructor(id: string, transport: HttpTransport, created = false) {
    super(id, { created, transport });
    this.#transport = transport;
  }

  /** The same as `get`, in other words: throws `timeout` where the task isn't over in time. */
  async result({ wait = true, signal }: ResultOptions = {}): Promise<O> {
    const timeout = wait === true ? {} : { timeout: wait === false ? 0 : wait };
    return this.get({ ...timeout, ...(signal ? { signal } : {}) });
  }

  /**
   * What happens to it from now on, first where it is; ends when the task does.
   *
   * @example
   * for await (const { status, attempt } of client.task(id).events()) console.log(status, attempt);
   */
  events({ signal }: { readonly signal?: AbortSignal } = {}): AsyncIterable<TaskChange> {
    return this.#transport.taskEvents(this.id, signal ? { signal } : {});
  }
}
