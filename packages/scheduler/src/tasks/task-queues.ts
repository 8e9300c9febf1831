import type { Clock, Logger } from "@samovar/kit";
import type { ChangedTask, InsertedTask, LeftTask, NewTask, TaskFilter, TaskStore } from "@samovar/storage";
import { INLINE_BODY_BYTES, type HeldInput } from "@samovar/protocol";
import type { FunctionRuntime } from "../function-runtime.ts";
import { LeftTasks } from "./left-tasks.ts";
import type { RunningTask } from "./running-task.ts";
import { parseQueueName } from "./queue-name.ts";
import { TaskChanges } from "./task-changes.ts";
import { TaskQueue, type TaskObserver } from "./task-queue.ts";

export interface TaskQueuesOptions {
  readonly store: TaskStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  readonly observer: TaskObserver;
}

/** No timer is set for longer. */
const LONGEST_MS = 3_600_000;
const AGAIN_MS = 1_000;
/** Queues that are kept though they are empty: the next task of one that was forgotten waits for a question to the store. */
const MANY = 1_000;

/**
 * All task queues of a server, by the store's names (queue-name.ts): a function's own, and one for each set of constructor
 * arguments. Knows which version serves which base, and wakes queues when what they hold is due.
 */
export class TaskQueues {
  readonly changes = new TaskChanges();
  readonly left = new LeftTasks((container, held) => this.#claim(container, held));
  readonly #options: TaskQueuesOptions;
  readonly #queues = new Map<string, TaskQueue>();
  readonly #targets = new Map<string, FunctionRuntime>();
  /** Puts of inputs that the store writes elsewhere first, by their bases. */
  readonly #writing = new Map<Promise<unknown>, string>();
  #alarmAtMs = Infinity;
  #cancelAlarm: () => void = () => {};
  /** A queue that isn't here may have been, and what is in the store is asked for. */
  #hasForgotten = false;
  #disposed = false;

  constructor(options: TaskQueuesOptions) {
    this.#options = options;
  }

  /**
   * What an earlier server left: what ran waits again, but for what goes on in these containers: that is `running`, each of
   * which is to be given to `takeBack`. Resolves to the bases that have tasks, too. Before any `serve`.
   */
  async recover(containers: ReadonlySet<string> = new Set()): Promise<{ readonly bases: ReadonlySet<string>; readonly running: readonly LeftTask[] }> {
    const { store, clock } = this.#options;
    const { queues: keys, running } = await store.recover(clock.now(), containers);
    const counts = await Promise.all(keys.map((key) => store.counts(key)));
    for (const [i, key] of keys.entries()) this.#queue(key, false).found(sumOf(counts[i]!) - (counts[i]!.RUNNING ?? 0));
    this.#alarm(0);
    return { bases: new Set(keys.map((key) => parseQueueName(key).base)), running };
  }

  /** The container of this one, of this version, may come back: until it has, or won't, its answer is awaited. */
  takeBack(task: LeftTask, by: FunctionRuntime): void {
    this.left.add(this.#queue(task.queue, false).goesOn(task, by));
  }

  #claim(container: { readonly id: string; readonly functionId: string }, { taskId, attempt }: HeldInput): RunningTask | null {
    for (const queue of this.#queues.values()) {
      const running = queue.target?.functionId === container.functionId ? queue.claim(taskId, attempt, container.id) : null;
      if (running) return running;
    }
    return null;
  }

  /** From now on this version runs the tasks of this base; another one did, or none. */
  serve(base: string, target: FunctionRuntime): void {
    const before = this.#targets.get(base);
    if (before === target) return;
    before?.countTasksBy(() => 0);
    this.#targets.set(base, target);
    target.countTasksBy(() => this.pending(base));
    for (const queue of this.#of(base)) queue.serve(target);
  }

  /** Tasks of this base wait until somebody serves it. */
  rest(base: string): void {
    this.#targets.get(base)?.countTasksBy(() => 0);
    this.#targets.delete(base);
    for (const queue of this.#of(base)) queue.rest();
  }

  /** What waits for one version of this name alone may go on: it takes work again. */
  wakeVersions(base: string): void {
    for (const queue of this.#queues.values()) if (queue.name.sharedBase === base && queue.name.version !== null) queue.wake();
  }

  isServed(base: string): boolean {
    return this.#targets.has(base);
  }

  /** Nobody will serve this base again: its tasks are cancelled. */
  async abandon(base: string): Promise<void> {
    this.rest(base);
    // Who was let in before that may be at it still, and would come to the store behind what it is asked now.
    const writing = [...this.#writing].filter(([, of]) => of === base).map(([put]) => put);
    if (writing.length > 0) await Promise.allSettled(writing);
    // Somebody serves it again: what is there by now is for that one.
    if (this.#targets.has(base)) return;
    // All in one turn: what is put from now on is none of it.
    const cancelled = this.#of(base).map(async (queue) => {
      await this.change("cancel", { queue: queue.key });
      // Unless somebody serves it again.
      if (!this.#targets.has(base)) this.#queues.delete(queue.key);
    });
    await Promise.all(cancelled);
  }

  /** Tasks that wait, those not yet due included. */
  pending(base: string): number {
    let pending = 0;
    for (const queue of this.#of(base)) pending += queue.pending;
    return pending;
  }

  /** The same of all bases of a function: what is queued for one version alone is counted with the rest. Null: for whichever constructor arguments. */
  pendingOfAll(sharedBase: string, parameters: string | null): number {
    let pending = 0;
    for (const queue of this.#queues.values()) {
      const { name } = queue;
      if (name.sharedBase === sharedBase && (parameters === null || name.parameters === parameters)) pending += queue.pending;
    }
    return pending;
  }

  /** Resolves when they are on disk; rejects and none is. All of one queue. */
  put(tasks: readonly NewTask[]): Promise<readonly InsertedTask[]> {
    const queue = this.#queue(tasks[0]!.queue, !this.#hasForgotten);
    const put = queue.put(tasks);
    if (tasks.some(({ input }) => input.length > INLINE_BODY_BYTES)) {
      const written: Promise<unknown> = put.catch(() => {}).finally(() => this.#writing.delete(written));
      this.#writing.set(written, queue.name.base);
    }
    return put;
  }

  /** Cancels, expires or revives in the store, and in memory what that means. */
  async change(event: "cancel" | "expire" | "revive", which: TaskFilter): Promise<readonly ChangedTask[]> {
    const { store, clock } = this.#options;
    const setAside = event === "cancel" ? this.#setAside(which.ids ?? []) : [];
    const giveBack = (): void => setAside.forEach((queue) => queue.lookAgain());
    const changed = await store.change(event, which, clock.now()).catch((error: unknown) => {
      giveBack();
      throw error;
    });
    if (changed.length < setAside.length) giveBack();
    for (const [key, tasks] of Map.groupBy(changed, ({ queue }) => queue)) this.#queue(key, false).changed(tasks);
    if (event !== "revive" && changed.length > 0) this.#options.observer.callbackDue();
    // What was revived may expire, and what waited for the turn of others may wait for its time now.
    if (changed.length > 0) this.#alarm(clock.now());
    return changed;
  }

  /** None of these begins while its end is being decided. One queue for each that waited in memory. */
  #setAside(ids: readonly string[]): TaskQueue[] {
    const queues = [...this.#queues.values()];
    return ids.flatMap((id) => queues.find((queue) => queue.setAside(id)) ?? []);
  }

  find(key: string): TaskQueue | undefined {
    return this.#queues.get(key);
  }

  dispose(): void {
    this.#disposed = true;
    this.#cancelAlarm();
  }

  #queue(key: string, isNew: boolean): TaskQueue {
    const known = this.#queues.get(key);
    if (known) return known;
    const { store, clock, logger, random, observer } = this.#options;
    const alarm = (atMs: number): void => this.#alarm(atMs);
    const emptied = (): void => {
      if (this.#queues.size > MANY && queue.isEmpty && this.#queues.get(key) === queue) this.#forget(queue);
    };
    const queue = new TaskQueue({ key, isNew, store, changes: this.changes, clock, logger, random, alarm, emptied, observer });
    this.#queues.set(key, queue);
    const target = this.#targets.get(queue.name.base);
    if (target) queue.serve(target);
    return queue;
  }

  /** Anybody may name other constructor arguments: what is kept of each ends with its tasks. */
  #forget(queue: TaskQueue): void {
    queue.rest();
    this.#hasForgotten = true;
    this.#queues.delete(queue.key);
  }

  #of(base: string): TaskQueue[] {
    return [...this.#queues.values()].filter(({ name }) => name.base === base);
  }

  // --- time

  #alarm(atMs: number): void {
    if (atMs >= this.#alarmAtMs || this.#disposed) return;
    this.#alarmAtMs = atMs;
    this.#cancelAlarm();
    const delayMs = Math.min(Math.max(0, atMs - this.#options.clock.now()), LONGEST_MS);
    this.#cancelAlarm = this.#options.clock.after(delayMs, () => void this.#due());
  }

  async #due(): Promise<void> {
    this.#alarmAtMs = Infinity;
    const { store, clock, logger } = this.#options;
    try {
      const { queues, nextDueAtMs, nextExpiryAtMs } = await store.promote(clock.now());
      for (const { queue: key, fromRank } of queues) {
        const queue = this.#queue(key, false);
        queue.knowOnlyTo({ rank: fromRank, id: "" });
        queue.wake();
      }
      if (nextExpiryAtMs !== null && nextExpiryAtMs <= clock.now()) {
        await this.change("expire", { expiredByMs: clock.now() });
        // For the one after those.
        this.#alarm(clock.now());
      } else if (nextExpiryAtMs !== null) this.#alarm(nextExpiryAtMs);
      if (nextDueAtMs !== null) this.#alarm(nextDueAtMs);
    } catch (error) {
      if (this.#disposed) return;
      logger.error({ error: String(error) }, "Tasks that are due could not be looked up: tried again");
      this.#alarm(clock.now() + AGAIN_MS);
    }
  }
}

const sumOf = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((sum, n) => sum + n, 0);
