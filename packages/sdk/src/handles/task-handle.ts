import { parseDuration, SamovarError, show, type CallTransport, type Duration, type TaskInfo, type TaskStatus } from "@samovar/protocol";
import { requireTransport } from "../runtime.ts";

export interface GetOptions {
  /** How long to wait for the end of the task; 0: not at all. Default: as long as it takes. */
  readonly timeout?: Duration;
  /** Aborting it ends the waiting, not the task. */
  readonly signal?: AbortSignal;
}

/**
 * A task that was queued: it is on the server's disk, and goes on whatever becomes of the process that asked for it. The
 * handle is its id and nothing else; any process finds it again by that.
 *
 * @example
 * const task = await render.spawn({ page: 7 });
 * await orders.set(task.id);                            // and later, elsewhere:
 * const page = await TaskHandle.fromId<Page>(id).get({ timeout: "5m" });
 */
export class TaskHandle<O = unknown> {
  readonly id: string;
  /** Of `put` and `spawn`: false where an earlier task with the same idempotency key stands for it. */
  readonly created: boolean;
  readonly #transport: CallTransport | undefined;

  /** Made by `put`, `spawn`, `fromId` and `client.task(id)`. */
  constructor(id: string, { created = false, transport }: { readonly created?: boolean; readonly transport?: CallTransport } = {}) {
    if (typeof id !== "string" || id === "") throw new SamovarError("invalid_option", `A task's id is a string, such as "tk_…", but this is ${show(id)}`);
    this.id = id;
    this.created = created;
    this.#transport = transport;
  }

  /**
   * The task with this id, in a container or under `samovar run`; elsewhere it is `client.task(id)`. Whether there is one is
   * told by what is asked of it, with `not_found`.
   */
  static fromId<O = unknown>(id: string): TaskHandle<O> {
    return new TaskHandle<O>(id);
  }

  /**
   * The result, when there is one. Throws what the last attempt threw, with name, message, cause and remote stack; `timeout`
   * where an attempt or this waiting took too long; `cancelled`; `expired`. It waits on through a restart of the server.
   *
   * @example
   * const page = await task.get({ timeout: "30s" });
   */
  async get({ timeout, signal }: GetOptions = {}): Promise<O> {
    const timeoutMs = timeout === undefined ? undefined : readTimeout(timeout);
    return (await this.#reach("get").taskResult(this.id, { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal ? { signal } : {}) })) as O;
  }

  async status(): Promise<TaskStatus> {
    return (await this.#reach("status").taskInfo(this.id)).status;
  }

  /** All that is known of it: times, attempts, its last error. */
  async info(): Promise<TaskInfo> {
    return this.#reach("info").taskInfo(this.id);
  }

  /** Ends it: one that waits never begins, one that runs gets its `ctx.signal` aborted. False: it was over already. */
  async cancel(): Promise<boolean> {
    return this.#reach("cancel").cancelTask(this.id);
  }

  #reach(method: string): CallTransport {
    return this.#transport ?? requireTransport(`TaskHandle.${method}()`);
  }
}

function readTimeout(timeout: Duration): number {
  const ms = parseDuration(timeout, "timeout");
  if (ms >= 0) return ms;
  throw new SamovarError("invalid_option", `timeout is ${show(timeout)}, but it takes 0 or more. Leave it out to wait as long as it takes`);
}
