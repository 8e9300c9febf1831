import type { CallbackInfo } from "@samovar/protocol";
import type { CallbackOutcome, CallbackStore, DueCallback } from "@samovar/storage";

/** What a store of callbacks does, in memory. It outlives those who send, as a database does. */
export class MemoryCallbackStore implements CallbackStore {
  /** In the order in which they are due, as tests add them. */
  readonly rows: Map<string, CallbackInfo>;
  /** Of each question, once its answer was read, what was left out. */
  readonly asked: (readonly string[])[] = [];
  /** What was read is told when this has resolved. */
  gate: Promise<void> = Promise.resolve();
  /** Thrown in place of an answer, while it is there. */
  failure: Error | null = null;
  readonly #waiting: { readonly fits: () => boolean; readonly resolve: () => void }[] = [];

  constructor(rows = new Map<string, CallbackInfo>()) {
    this.rows = rows;
  }

  add(id: string, url: string, atMs: number, more: Partial<CallbackInfo> = {}): void {
    const fresh = { id, taskId: `tk_${id}`, function: "work", app: "shop", url, state: "pending", attempts: 0, createdAtMs: atMs, dueAtMs: atMs } as const;
    this.rows.set(id, { ...fresh, endedAtMs: null, lastError: null, ...more });
  }

  async due(
    nowMs: number,
    limit: number,
    except: readonly string[] = [],
  ): Promise<{ readonly callbacks: readonly DueCallback[]; readonly nextDueAtMs: number | null }> {
    await this.#work();
    this.asked.push(except);
    const callbacks: DueCallback[] = [];
    let nextDueAtMs: number | null = null;
    for (const { id, taskId, function: functionName, app, url, attempts, createdAtMs, dueAtMs } of this.rows.values()) {
      if (dueAtMs === null) continue;
      if (dueAtMs > nowMs) nextDueAtMs = Math.min(nextDueAtMs ?? dueAtMs, dueAtMs);
      else if (callbacks.length < limit && !except.includes(url)) callbacks.push({ id, taskId, functionName, app, url, attempt: attempts + 1, createdAtMs });
    }
    this.#tell();
    await this.gate;
    return { callbacks, nextDueAtMs };
  }

  async settle(id: string, attempt: number, outcome: CallbackOutcome): Promise<boolean> {
    await this.#work();
    const row = this.rows.get(id);
    if (row?.state !== "pending" || row.attempts + 1 !== attempt) return false;
    const ended = { attempts: attempt, dueAtMs: null };
    if (outcome.kind === "delivered") this.rows.set(id, { ...row, ...ended, state: "delivered", endedAtMs: outcome.atMs, lastError: null });
    else if (outcome.kind === "failed") this.rows.set(id, { ...row, ...ended, state: "failed", endedAtMs: outcome.atMs, lastError: outcome.error });
    else this.rows.set(id, { ...row, attempts: attempt, dueAtMs: outcome.dueAtMs, lastError: outcome.error });
    this.#tell();
    return true;
  }

  async list(filter: Parameters<CallbackStore["list"]>[0]): Promise<readonly CallbackInfo[]> {
    const fits = (row: CallbackInfo): boolean =>
      (!filter.state || row.state === filter.state) && (!filter.app || row.app === filter.app) && (!filter.taskId || row.taskId === filter.taskId);
    const all = [...this.rows.values()];
    const earlier =
      filter.before === undefined
        ? all
        : all.slice(
            0,
            all.findIndex(({ id }) => id === filter.before),
          );
    return earlier.filter(fits).toReversed().slice(0, filter.limit);
  }

  async get(id: string): Promise<CallbackInfo | undefined> {
    return this.rows.get(id);
  }

  async revive(id: string, nowMs: number): Promise<CallbackInfo | undefined> {
    const row = this.rows.get(id);
    if (row?.state !== "failed") return undefined;
    const revived: CallbackInfo = { ...row, state: "pending", attempts: 0, dueAtMs: nowMs, endedAtMs: null, lastError: null };
    this.rows.set(id, revived);
    return revived;
  }

  /** Resolves when a settlement or a question has made it so. */
  async until(fits: () => boolean): Promise<void> {
    if (!fits()) await new Promise<void>((resolve) => this.#waiting.push({ fits, resolve }));
  }

  untilSettled(id: string, attempts: number): Promise<void> {
    return this.until(() => this.rows.get(id)!.attempts === attempts);
  }

  count(state: CallbackInfo["state"]): number {
    let count = 0;
    for (const row of this.rows.values()) if (row.state === state) count += 1;
    return count;
  }

  /** Answers come in a later turn, as from a thread. */
  async #work(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.failure) throw this.failure;
  }

  #tell(): void {
    for (const each of this.#waiting.splice(0)) {
      if (each.fits()) each.resolve();
      else this.#waiting.push(each);
    }
  }
}
