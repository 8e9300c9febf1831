import type { Clock, Logger } from "@samovar/kit";
import { INLINE_BODY_BYTES, SamovarError, isDueAtOnce, nextTaskStatus, toRank, type AnswerHead, type TaskStatus } from "@samovar/protocol";
import type { ChangedTask, InsertedTask, LeftTask, NewTask, QueuePosition, SettledTask, TaskSettlement, TaskStore, WaitingTask } from "@samovar/storage";
import { afterAttempt, toKeptError } from "../decisions/after-attempt.ts";
import type { FunctionRuntime } from "../function-runtime.ts";
import type { InputFailure, StartedInfo } from "../input.ts";
import type { InputSource, SourcedInput } from "../input-source.ts";
import type { Pool } from "../pool.ts";
import { Lingering } from "./lingering.ts";
import { parseQueueName, type QueueName } from "./queue-name.ts";
import { toResultText } from "./result-head.ts";
import { RunningTask, type RunningTaskOwner } from "./running-task.ts";
import type { TaskChanges, TaskEvent } from "./task-changes.ts";
import { STORE_AGAIN_MS, TaskReader } from "./task-reader.ts";
import { TaskWindow } from "./task-window.ts";

export interface TaskQueueOptions {
  /** The store's name of it. */
  readonly key: string;
  /** Nothing of it is in the store yet. */
  readonly isNew: boolean;
  readonly store: TaskStore;
  readonly changes: TaskChanges;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
  /** A task may have to be looked at then: it is due, or expires. */
  readonly alarm: (atMs: number) => void;
  /** It may be empty now. */
  readonly emptied: () => void;
  readonly observer: TaskObserver;
}

/** Who is told of what tasks came to, when it is on disk. */
export interface TaskObserver {
  /** A task with a callback is over. */
  callbackDue(): void;
  attemptEnded(end: AttemptEnd): void;
}

export interface AttemptEnd {
  readonly app: string;
  readonly function: string;
  /** Where it left the task. */
  readonly status: TaskStatus;
  /** From its acceptance to its first attempt; null for later ones. */
  readonly waitedMs: number | null;
  readonly ranMs: number;
}

/**
 * The tasks of one queue: which of them wait in memory, which run. The store is the truth about what is accepted and
 * what became of it; here is what must be known at once, and the pool that has room takes from it.
 *
 * A task that is put is in the window while it is still being written, so that it starts beside its commit; only who put
 * it waits for the disk. It runs as a `RunningTask`, and is over for others when its settlement is on disk.
 */
export class TaskQueue implements InputSource, RunningTaskOwner {
  readonly key: string;
  readonly name: QueueName;
  readonly #options: TaskQueueOptions;
  readonly #window: TaskWindow;
  readonly #running = new Map<string, RunningTask>();
  readonly #lingering: Lingering;
  readonly #reader: TaskReader;
  #target: FunctionRuntime | null = null;
  #pool: Pool | null = null;
  /** Why its function takes none. */
  #refusal: SamovarError | null = null;
  /** Not over and not running, as far as it is known: what `maxPendingTasks` bounds. */
  #pending = 0;
  /** Ends of tasks that others of their key wait for, until it is known which are ready by them. */
  #unfolding = 0;

  constructor(options: TaskQueueOptions) {
    this.key = options.key;
    this.name = parseQueueName(options.key);
    this.#options = options;
    this.#window = new TaskWindow(options);
    this.#lingering = new Lingering(options.clock, () => this.lookAgain());
    this.#reader = new TaskReader(options, this.#window, { isRunning: (id) => this.#running.has(id), readEnded: () => this.#readEnded() });
  }

  get pending(): number {
    return Math.max(0, this.#pending);
  }

  get target(): FunctionRuntime | null {
    return this.#target;
  }

  /** Nothing of it waits, runs or is on its way: it can be forgotten. */
  get isEmpty(): boolean {
    return (
      this.#pending <= 0 && this.#lingering.isEmpty && this.#unfolding === 0 && this.#running.size === 0 && this.#window.size === 0 && !this.#reader.isReading
    );
  }

  /** Why what is here waits; null when it is for a container's room alone, or nothing is known. */
  get waitReason(): string | null {
    return this.#refusal?.message ?? this.#pool?.info().reason ?? null;
  }

  holds(id: string): boolean {
    return this.#running.has(id) || this.#window.has(id);
  }

  running(id: string): RunningTask | undefined {
    return this.#running.get(id);
  }

  // --- who runs it

  /** From now on this version takes what is here. */
  serve(target: FunctionRuntime): void {
    this.#leavePool();
    this.#target = target;
    this.wake();
  }

  /** Nobody does: what is here waits. */
  rest(): void {
    this.#leavePool();
    this.#target = null;
  }

  #leavePool(): void {
    this.#pool?.detach(this);
    this.#pool = null;
    this.#target?.leave(this);
    this.#refusal = null;
  }

  // --- tasks come

  /** Of an earlier server: so many wait. */
  found(pending: number): void {
    this.#pending += pending;
    this.knowOnlyTo(null);
  }

  /** Of an earlier server: this one goes on, and its answer is awaited. */
  goesOn(left: Pick<LeftTask, "task" | "containerId" | "startedAtMs">, by: FunctionRuntime): RunningTask {
    const running = new RunningTask(this, left.task, by, left);
    this.#running.set(left.task.id, running);
    return running;
  }

  /**
   * A container of the function that serves this has brought it back as this attempt, whose start its server could not write any more: to
   * the store it waits. Null where it doesn't wait here, or for another attempt.
   */
  claim(id: string, attempt: number, containerId: string): RunningTask | null {
    const task = this.#window.get(id);
    if (!this.#target || task?.attempt !== attempt - 1) return null;
    this.#window.remove(id);
    this.#pending--;
    const running = this.goesOn({ task, containerId, startedAtMs: this.#options.clock.now() }, this.#target);
    this.#begun(running, running.start!);
    return running;
  }

  /** Resolves when they are on disk. */
  async put(tasks: readonly NewTask[]): Promise<readonly InsertedTask[]> {
    this.#pending += tasks.length;
    const inserting = this.#options.store.insert(tasks);
    // Behind the insert, so that the store hears of their starts after it. A key may have a conflict, and then none of them is queued.
    const early = new Set(
      tasks.every((task) => isSmall(task) && task.idempotencyKey === null) ? tasks.filter((task) => isPlain(task) && this.#window.add(toWaiting(task))) : [],
    );
    if (early.size > 0) this.wake();
    try {
      const inserted = await inserting;
      this.#inserted(tasks, inserted, early);
      return inserted;
    } catch (error) {
      for (const { id } of tasks) if (!this.#drop(id)) this.#pending--;
      throw error;
    } finally {
      this.#options.emptied();
    }
  }

  #inserted(tasks: readonly NewTask[], inserted: readonly InsertedTask[], early: ReadonlySet<NewTask>): void {
    let came = false;
    for (const [i, { inserted: isNew, ready }] of inserted.entries()) {
      const task = tasks[i]!;
      if (!isNew) {
        if (!this.#drop(task.id)) this.#pending--;
        continue;
      }
      // One that began beside its commit has been told as running.
      if (!early.has(task) || this.#window.has(task.id)) this.#tell(task.id, { name: task.functionName, app: task.app }, "PENDING", 0);
      if (!ready) this.#options.alarm(task.dueAtMs);
      if (task.expiresAtMs !== null) this.#options.alarm(task.expiresAtMs);
      if (!ready) continue;
      if (early.has(task)) {
        // It had no place in the window any more, and a read that came before this commit did not find it.
        if (!this.holds(task.id)) this.knowOnlyTo(null);
        came ||= !this.holds(task.id);
        continue;
      }
      came = true;
      if (!this.#running.has(task.id)) this.#add(toWaiting(task));
    }
    if (came) this.wake();
  }

  /** It is ready, and on disk. What isn't known here is found by the next read. */
  #add(task: WaitingTask): void {
    if (!this.#window.add(task)) this.#reader.found(task);
  }

  /** Something may be ready in the store after this position (null: anywhere). */
  knowOnlyTo(position: QueuePosition | null): void {
    this.#reader.knowOnlyTo(position);
  }

  /** Gives out what can be given, and reads what is missing. */
  wake(): void {
    if (!this.#target) return;
    if (this.#window.size > 0) this.#feed(this.#target);
    this.#reader.refill();
  }

  #feed(target: FunctionRuntime): void {
    try {
      this.#pool ??= target.feed(this.name.parameters, this);
      this.#refusal = null;
    } catch (error) {
      // A version or server that ends says so on its way; whoever comes next wakes the queue.
      const isKnown = error instanceof SamovarError && (error.code === "shutting_down" || error.code === "stopped" || error.code === this.#refusal?.code);
      if (!isKnown) this.#options.logger.warn({ queue: this.key, error: String(error) }, "Tasks wait: their function takes none");
      this.#refusal = error instanceof SamovarError ? error : new SamovarError("internal", "Its function can't take it", { cause: error });
      return;
    }
    this.#pool.sourceChanged();
  }

  #readEnded(): void {
    this.wake();
    // Its containers waited for what might come.
    if (this.#window.size === 0) this.#pool?.sourceChanged();
    this.#options.emptied();
  }

  #failUnstarted(running: RunningTask, error: SamovarError): void {
    running.started({ containerId: "", coldStart: true, queuedMs: 0, phases: [] });
    running.error({ error, thrown: null, containerId: null, attempt: 0, retryable: false });
  }

  /** The next of a concurrency key has become ready at this position. */
  #fetch(position: QueuePosition): void {
    if (this.holds(position.id)) return;
    if (!this.#window.knows(position)) return this.#reader.found(position);
    this.#unfolding++;
    void this.#reader.fetch(position).finally(() => this.#unfolded());
  }

  /** When that was the last, containers that wait for nothing else are free for others. */
  #unfolded(): void {
    this.#unfolding--;
    if (this.#unfolding === 0) queueMicrotask(() => this.#pool?.sourceChanged());
  }

  // --- its pool takes them (InputSource)

  get waiting(): number {
    return this.#window.size;
  }

  get expectsMore(): boolean {
    return this.#unfolding > 0 || (this.#reader.isReading && this.#pending > 0);
  }

  get waitsSinceMs(): number {
    const { clock } = this.#options;
    return clock.monotonic() - Math.max(0, clock.now() - (this.#window.first?.rank ?? 0));
  }

  take(): SourcedInput | null {
    const by = this.#target;
    if (!by) return null;
    const nowMs = this.#options.clock.now();
    for (let task = this.#window.take(); task; task = this.#window.take()) {
      this.#reader.refill();
      if (task.expiresAtMs !== null && task.expiresAtMs <= nowMs) {
        this.#options.alarm(task.expiresAtMs);
        continue;
      }
      // Looked for again when that has let go.
      if (this.#lingering.holdsBack(task)) continue;
      const running = new RunningTask(this, task, by);
      this.#running.set(task.id, running);
      this.#pending--;
      if (task.lostInput === undefined) return running;
      this.#failUnstarted(running, new SamovarError("storage_failed", `Its input is lost: ${task.lostInput}`));
    }
    return null;
  }

  startFailed(error: SamovarError): void {
    for (let next = this.take(); next; next = this.take()) this.#failUnstarted(next as RunningTask, error);
  }

  detached(): void {
    this.#pool = null;
    // A pool that closed for want of use; one whose version ends has a successor by then, or none.
    queueMicrotask(() => this.wake());
  }

  // --- attempts begin and end (RunningTaskOwner)

  began(running: RunningTask, started: StartedInfo): void {
    running.startedAtMs = this.#options.clock.now();
    this.#begun(running, started);
  }

  #begun(running: RunningTask, started: StartedInfo): void {
    const { task, attempt, by } = running;
    const { containerId } = started;
    this.#options.store.started({ id: task.id, attempt, version: by.version, containerId, startedAtMs: running.startedAtMs });
    this.#tell(task.id, by, "RUNNING", attempt, { started });
  }

  succeeded(running: RunningTask, head: AnswerHead, body: Buffer): void {
    const result = { encoding: toResultText(head), bytes: body };
    this.#settle(running, { event: "succeed", result, error: null, dueAtMs: null }, { answer: { head, body } });
  }

  failed(running: RunningTask, failure: InputFailure): void {
    const { task, by } = running;
    const { random, clock } = this.#options;
    const next = afterAttempt(failure, task.failures + 1, by.manifest.options.retries, random());
    const error = toKeptError(failure);
    const dueAtMs = next.event === "retry" ? clock.now() + next.delayMs : null;
    this.#settle(running, { event: next.event, result: null, error, dueAtMs }, { error });
  }

  #settle(running: RunningTask, outcome: Pick<TaskSettlement, "event" | "result" | "error" | "dueAtMs">, told: Partial<TaskEvent>): void {
    const { task, attempt, by, containerId, startedAtMs } = running;
    this.#lingering.add(running);
    if (task.concurrencyKey !== null) this.#unfolding++;
    const settlement: TaskSettlement = {
      id: task.id,
      attempt,
      version: by.version,
      containerId,
      startedAtMs,
      endedAtMs: this.#options.clock.now(),
      ...outcome,
    };
    this.#write(running, settlement, told, STORE_AGAIN_MS.first);
  }

  #write(running: RunningTask, settlement: TaskSettlement, told: Partial<TaskEvent>, againMs: number): void {
    const { store, clock, logger } = this.#options;
    // The next of its line waits for it, or who listens.
    const awaited = running.task.concurrencyKey !== null || this.#options.changes.isWatched(settlement.id);
    store.settle(settlement, { awaited }).then(
      (settled) => this.#settled(running, settlement, settled, told),
      (error: unknown) => {
        logger.error({ task: settlement.id, error: String(error) }, "The end of a task could not be written: tried again");
        // The work is done, and would else be done twice.
        clock.after(againMs, () => this.#write(running, settlement, told, Math.min(againMs * 2, STORE_AGAIN_MS.most)));
      },
    );
  }

  #settled(
    running: RunningTask,
    { event, dueAtMs, startedAtMs, endedAtMs }: TaskSettlement,
    { applied, isReady, next }: SettledTask,
    told: Partial<TaskEvent>,
  ): void {
    const { task, attempt, by } = running;
    if (this.#running.get(task.id) === running) this.#running.delete(task.id);
    if (task.concurrencyKey !== null) this.#unfolded();
    // Cancelled meanwhile, which is told by who did it.
    if (!applied) return this.lookAgain();
    const status = nextTaskStatus("RUNNING", event)!;
    if (event === "retry" || event === "give-back") this.#pending++;
    else if (task.callbackUrl !== null) this.#options.observer.callbackDue();
    const waitedMs = attempt === 1 ? startedAtMs - task.createdAtMs : null;
    this.#options.observer.attemptEnded({ app: by.app, function: by.name, status, waitedMs, ranMs: endedAtMs - startedAtMs });
    if (event === "retry") this.#options.alarm(dueAtMs!);
    if (event === "give-back" && !running.wasLeft) this.#add({ ...task, attempt, expiresAtMs: null });
    else if (isReady) this.knowOnlyTo(null);
    // As the store sees it: of one that was not due at that moment, `promote` tells.
    if (next && next.dueAtMs <= endedAtMs) this.#fetch(next);
    else if (next) this.#options.alarm(next.dueAtMs);
    // Who began to listen after its start hears of that now.
    this.#tell(task.id, by, status, attempt, running.start ? { ...told, started: running.start } : told);
    this.wake();
    this.#options.emptied();
  }

  // --- and are changed from outside

  /** It must not begin until the store has decided about it. True where it waited here. */
  setAside(id: string): boolean {
    return this.#window.remove(id);
  }

  /** What was set aside may be ready all the same. */
  lookAgain(): void {
    this.knowOnlyTo(null);
    this.wake();
  }

  /** They were cancelled, expired or revived in the store. */
  changed(tasks: readonly ChangedTask[]): void {
    const { changes, clock } = this.#options;
    for (const { id, status, attempt, functionName, app } of tasks) {
      if (status === "PENDING") this.#pending++;
      else if (!this.#drop(id) && attempt === null) this.#pending--;
      changes.tell({ id, function: functionName, app, status, attempt: attempt ?? 0, atMs: clock.now() });
    }
    // They may be ready themselves, or others of their keys.
    this.knowOnlyTo(null);
    this.wake();
    this.#options.emptied();
  }

  /** Takes it out of memory, wherever it is. True where it ran. */
  #drop(id: string): boolean {
    if (this.#window.remove(id)) return false;
    const running = this.#running.get(id);
    if (!running) return false;
    this.#running.delete(id);
    running.revoke();
    this.#lingering.add(running);
    return true;
  }

  #tell(id: string, of: Pick<FunctionRuntime, "name" | "app">, status: TaskStatus, attempt: number, more: Partial<TaskEvent> = {}): void {
    const { changes, clock } = this.#options;
    if (changes.isWatched(id)) changes.tell({ id, function: of.name, app: of.app, status, attempt, atMs: clock.now(), ...more });
  }
}

/** Larger ones the store may put elsewhere first, and so hear of their starts before it has them. */
const isSmall = ({ input }: NewTask): boolean => input.length <= INLINE_BODY_BYTES;

/** Whether it is ready whatever the store knows: it starts before its commit is done. */
function isPlain(task: NewTask): boolean {
  return isDueAtOnce(task) && task.concurrencyKey === null && task.idempotencyKey === null && task.tick === null;
}

function toWaiting(task: NewTask): WaitingTask {
  const { method, parameters, encoding, reply, input, createdAtMs, expiresAtMs, concurrencyKey, callbackUrl } = task;
  return {
    id: task.id,
    rank: toRank(task.dueAtMs, task.priority),
    method,
    parameters,
    encoding,
    reply,
    input,
    createdAtMs,
    expiresAtMs,
    concurrencyKey,
    callbackUrl,
    attempt: 0,
    failures: 0,
  };
}
