import type { LookupAddress } from "node:dns";
import type { Clock, Logger } from "@samovar/kit";
import { SamovarError, type CallbackInfo, type TaskDetail } from "@samovar/protocol";
import type { CallbackControl } from "@samovar/scheduler";
import type { CallbackOutcome, CallbackStore, DueCallback } from "@samovar/storage";
import { SERVER_VERSION } from "../version.ts";
import { toCallbackBody } from "./callback-body.ts";
import { CallbackLanes, type LaneLimits } from "./callback-lanes.ts";
import { decideCallback, type CallbackAnswer } from "./callback-retries.ts";
import { deriveCallbackKey, signCallback, toCallbackSecret } from "./callback-signature.ts";
import { CallbackConnections, postCallback } from "./post-callback.ts";
import { TargetGuard, TargetRefused } from "./target-guard.ts";
import { createTargetRules } from "./target-rules.ts";

export interface CallbackLimits extends LaneLimits {
  /** In flight to all hosts. */
  readonly total: number;
  /** Held in memory, whatever waits in the store. */
  readonly held: number;
  /** For one try. */
  readonly timeoutMs: number;
}

export const DEFAULT_CALLBACK_LIMITS: CallbackLimits = Object.freeze({ total: 32, perHost: 4, laneLength: 64, held: 4_096, timeoutMs: 15_000 });

export interface CallbacksOptions {
  readonly store: CallbackStore;
  readonly detail: (taskId: string) => Promise<TaskDetail | undefined>;
  /** Of the whole server, 32 bytes: see `ensureCallbackSecret`. */
  readonly secret: Uint8Array;
  /** SAMOVAR_CALLBACK_ALLOW and SAMOVAR_CALLBACK_DENY, all without a problem. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Of the server's own front door, `http://127.0.0.1:8700`; empty while there is none. */
  readonly url: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** In [0, 1). */
  readonly random: () => number;
  readonly limits?: Partial<CallbackLimits>;
  /** In place of the system's resolver, for tests. */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
}

/** Asked for beyond what is held. */
const PAGE = 256;
/** In one commit. */
const RETRIED_AT_ONCE = 500;
/** After the store has failed. */
const STORE_PAUSE_MS = 5_000;

/**
 * Sends callbacks: asks the store for what is due, posts it, and tells the store what came of it.
 *
 * A callback: in the store → waiting in its host's lane → sending → settling → in the store, delivered, failed for good,
 * or due again. Only `settle` changes what the store has, so what a server that dies had in flight is due again at the
 * next start, and comes a second time with the same id. The store is asked at `wake`, when the next one is due, and when
 * what was left in it has room.
 */
export class Callbacks implements CallbackControl {
  readonly #options: CallbacksOptions;
  readonly #limits: CallbackLimits;
  readonly #guard: TargetGuard;
  readonly #connections = new CallbackConnections();
  readonly #lanes: CallbackLanes;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #isAsking = false;
  #askAgain = false;
  /** The last time; for the end. */
  #asking: Promise<void> | null = null;
  /** The store has more than is held. */
  #hasMore = false;
  /** Over since the store was asked: its answer may still have them. */
  readonly #overMeanwhile = new Set<string>();
  #timer: { readonly atMs: number; readonly cancel: () => void } | null = null;

  constructor(options: CallbacksOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_CALLBACK_LIMITS, ...options.limits };
    this.#lanes = new CallbackLanes(this.#limits);
    this.#guard = new TargetGuard({
      rules: createTargetRules(options.allow, options.deny),
      ownPort: () => portOf(options.url()),
      ...(options.resolve ? { resolve: options.resolve } : {}),
    });
  }

  /** A task that has a URL ended, or the server starts. */
  wake(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#isAsking) this.#askAgain = true;
    else if (this.#lanes.held >= this.#limits.held) this.#hasMore = true;
    else this.#asking = this.#ask();
  }

  list(filter: Parameters<CallbackControl["list"]>[0]): Promise<readonly CallbackInfo[]> {
    return this.#options.store.list(filter);
  }

  get(id: string): Promise<CallbackInfo | undefined> {
    return this.#options.store.get(id);
  }

  secret(app: string): string {
    return toCallbackSecret(deriveCallbackKey(this.#options.secret, app));
  }

  async retry(id: string): Promise<CallbackInfo> {
    const { store, clock } = this.#options;
    const revived = await store.revive(id, clock.now());
    if (revived) {
      this.wake();
      return revived;
    }
    const kept = await store.get(id);
    if (!kept) throw new SamovarError("not_found", `There is no callback ${id}. \`GET /api/v1/callbacks\` lists those that are kept`);
    if (kept.state === "failed")
      throw new SamovarError("conflict", `The callback ${id} has nothing to tell any more: its task was queued once more since, or is no longer kept`);
    throw new SamovarError("conflict", `The callback ${id} is ${kept.state}: only one that failed for good can be sent once more`);
  }

  async retryFailed({ app, createdAfterMs = -Infinity }: Parameters<CallbackControl["retryFailed"]>[0]): Promise<number> {
    const { store, clock } = this.#options;
    let changed = 0;
    for (let before: string | undefined; ;) {
      const page = await store.list({ state: "failed", limit: RETRIED_AT_ONCE, ...(app !== undefined && { app }), ...(before !== undefined && { before }) });
      const wanted = page.filter(({ createdAtMs }) => createdAtMs > createdAfterMs);
      const revived = await Promise.all(wanted.map(({ id }) => store.revive(id, clock.now())));
      // One whose task is no longer kept, or was queued once more, has nothing to tell.
      changed += revived.filter((one) => one !== undefined).length;
      this.wake();
      before = page.at(-1)?.id;
      if (page.length < RETRIED_AT_ONCE) return changed;
    }
  }

  /** Gives up what is in flight; it is due again at the next start. Resolves when nothing of it runs. */
  async dispose(): Promise<void> {
    this.#stop.abort();
    this.#timer?.cancel();
    this.#timer = null;
    await Promise.allSettled([this.#asking, ...this.#running]);
    this.#connections.dispose();
  }

  async #ask(): Promise<void> {
    const { store, clock, logger } = this.#options;
    this.#timer?.cancel();
    this.#timer = null;
    this.#isAsking = true;
    try {
      do {
        this.#askAgain = false;
        this.#overMeanwhile.clear();
        // Those that are held are still due in the store.
        const limit = this.#lanes.held + PAGE;
        const nowMs = clock.now();
        const { callbacks, nextDueAtMs } = await store.due(nowMs, limit, this.#lanes.leaveOut());
        if (this.#stop.signal.aborted) return;
        for (const callback of callbacks) if (!this.#lanes.has(callback.id) && !this.#overMeanwhile.has(callback.id)) this.#lanes.add(callback);
        this.#hasMore = callbacks.length >= limit;
        if (this.#hasMore && this.#lanes.held < this.#limits.held) this.#askAgain = true;
        else if (nextDueAtMs !== null) this.#wakeAt(nextDueAtMs > nowMs ? nextDueAtMs : nowMs + STORE_PAUSE_MS);
        this.#sendWhatMay();
        if (this.#lanes.held >= this.#limits.held) this.#hasMore = true;
      } while (this.#askAgain && this.#lanes.held < this.#limits.held);
    } catch (error) {
      logger.error({ error }, "Callbacks that are due can't be read: trying again soon");
      this.#wakeAt(clock.now() + STORE_PAUSE_MS);
    } finally {
      // In the turn of the last look at `#askAgain`: no wake falls between.
      this.#isAsking = false;
    }
  }

  #wakeAt(atMs: number): void {
    if (this.#stop.signal.aborted || (this.#timer && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const cancel = this.#options.clock.after(Math.max(0, atMs - this.#options.clock.now()), () => {
      this.#timer = null;
      this.wake();
    });
    this.#timer = { atMs, cancel };
  }

  #sendWhatMay(): void {
    while (this.#running.size < this.#limits.total && !this.#stop.signal.aborted) {
      const callback = this.#lanes.take();
      if (!callback) return;
      const run = this.#run(callback).finally(() => {
        this.#running.delete(run);
        this.#sendWhatMay();
        if (this.#lanes.wantsMore || (this.#hasMore && this.#lanes.held < this.#limits.held / 2)) this.wake();
      });
      this.#running.add(run);
    }
  }

  async #run(callback: DueCallback): Promise<void> {
    const { clock, random } = this.#options;
    const answer = await this.#send(callback);
    this.#lanes.answered(callback, answer?.kind === "answered");
    // The host needn't wait for our disk.
    this.#sendWhatMay();
    if (answer) await this.#settle(callback, decideCallback(answer, callback.attempt, clock.now(), random()));
    if (this.#isAsking) this.#overMeanwhile.add(callback.id);
    this.#lanes.forget(callback);
  }

  /** Null: given up. */
  async #send(callback: DueCallback): Promise<CallbackAnswer | null> {
    const { clock, detail, secret } = this.#options;
    try {
      const target = this.#guard.check(callback.url);
      const task = await detail(callback.taskId);
      if (!task) return refused("The task is no longer kept");
      const told = toCallbackBody(task);
      // What ended since then is another end.
      if (!told || task.endedAtMs !== callback.createdAtMs)
        return refused(`The task was queued once more: it is ${task.status}, and the end of that has a callback of its own`);
      const body = Buffer.from(JSON.stringify(told));
      return await postCallback({
        connections: this.#connections,
        target,
        headers: {
          "user-agent": `samovar/${SERVER_VERSION}`,
          "content-type": "application/json",
          ...signCallback(deriveCallbackKey(secret, callback.app), callback.id, clock.now(), body),
        },
        body,
        timeoutMs: this.#limits.timeoutMs,
        clock,
        signal: this.#stop.signal,
      });
    } catch (error) {
      if (error instanceof TargetRefused) return refused(error.message);
      return { kind: "unanswered", error: `The task could not be read: ${String(error)}`, isFinal: false };
    }
  }

  /** Until the store has it: sending it again because a disk is full would be worse than waiting. */
  async #settle(callback: DueCallback, outcome: CallbackOutcome): Promise<void> {
    const { store, logger } = this.#options;
    const about = { callbackId: callback.id, taskId: callback.taskId, function: callback.functionName, attempt: callback.attempt };
    do {
      try {
        const isSettled = await store.settle(callback.id, callback.attempt, outcome);
        // Removed meanwhile, with the end that it was about.
        if (!isSettled) return;
        if (outcome.kind === "again") this.#wakeAt(outcome.dueAtMs);
        if (outcome.kind === "failed") logger.warn({ ...about, reason: outcome.error }, "A callback failed for good");
        else logger.debug({ ...about, outcome: outcome.kind }, "A callback was sent");
        return;
      } catch (error) {
        logger.error({ ...about, error }, "What became of a callback can't be written: trying again soon");
        await this.#pause(STORE_PAUSE_MS);
      }
    } while (!this.#stop.signal.aborted);
  }

  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#options.clock.after(delayMs, end);
      signal.addEventListener("abort", end);
    });
  }
}

const refused = (error: string): CallbackAnswer => ({ kind: "unanswered", error, isFinal: true });

function portOf(url: string): number | null {
  const parsed = URL.parse(url);
  return parsed && Number(parsed.port || (parsed.protocol === "https:" ? 443 : 80));
}
