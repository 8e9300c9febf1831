import {
  SamovarError,
  TASK_STATUSES,
  isTaskOver,
  nextTaskStatus,
  type CallbackInfo,
  type IdSource,
  type PutTaskResult,
  type TaskChange,
  type TaskDetail,
  type TaskPage,
  type TaskListing,
} from "@samovar/protocol";
import type { Clock } from "@samovar/kit";
import {
  parseQueueName,
  toQueueName,
  type FunctionEntry,
  type FunctionRuntime,
  type InputSink,
  type NewInput,
  type RetriedTasks,
  type TaskControl,
  type TaskQueues,
  type TaskWait,
  type TaskWatch,
} from "@samovar/scheduler";
import type { NewTask, TaskFilter, TaskRecord, TaskStore } from "@samovar/storage";
import type { FunctionRegistry } from "../apps/function-registry.ts";
import { answerSink, outcomeOf, outcomeOfEvent, startOf } from "./answer-task.ts";
import { toTaskDetail, toTaskInfo } from "./task-info.ts";
import { describeUnserved, toServedBases } from "./served-bases.ts";
import { versionQueue } from "./serving.ts";
import { asStrangers, bytesOf, StrangerBytes } from "./stranger-bytes.ts";
import { toNewTask, type TaskAddress } from "./task-request.ts";
import { assertRoom, assertSmall, countNew, keysOf, toBounds, type TaskBound } from "./task-room.ts";

export interface TasksOptions {
  readonly store: TaskStore;
  readonly queues: TaskQueues;
  readonly registry: FunctionRegistry;
  readonly callbackOf: (taskId: string) => Promise<CallbackInfo | null>;
  readonly ids: IdSource;
  readonly clock: Clock;
  /** A server of `run` or `serve`: what is deployed is served by one that stays. */
  readonly embedded: boolean;
}

/** Of those that a change left out. */
const MOST_TOLD = 1_000;
const MAX_SHOWN_RESULT_BYTES = 16 * 1024 * 1024;

/** Tasks, as the control API and containers ask for them. */
export class Tasks implements TaskControl {
  readonly #options: TasksOptions;
  readonly #strangers = new StrangerBytes();

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  async put(entry: FunctionEntry, parameters: readonly unknown[], inputs: readonly NewInput[]): Promise<readonly PutTaskResult[]> {
    if (inputs.length === 0) return [];
    const { ids, clock } = this.#options;
    const runtime = this.#runtimeOf(entry);
    const to = this.#address(runtime, parameters, inputs[0]!.pinned);
    assertNoStream(runtime, inputs);
    assertSmall(to, inputs);
    for (const bound of toBounds(to, inputs)) {
      // No turn is lost where there is room.
      if (this.#pendingOf(to, bound) + inputs.length <= bound.most) continue;
      await this.#assertRoom(bound, to, inputs);
      // It may be gone by now.
      this.#runtimeOf(entry);
    }
    const nowMs = clock.now();
    const tasks = inputs.map((input) => toNewTask(to, inputOf(runtime, input), ids("task"), nowMs));
    return inputs.some(({ anonymous }) => anonymous) ? this.#insertStrangers(runtime, tasks.map(asStrangers)) : this.#insert(tasks);
  }

  /** One task of a schedule for this moment; null: by hand. Rejects for a version that was replaced: old ones have no ticks. */
  async putTick(runtime: FunctionRuntime, tickAtMs: number | null, serialized: boolean): Promise<PutTaskResult> {
    const { ids, clock, registry } = this.#options;
    const { name, version, spec } = runtime;
    if (spec.session === null && registry.holder(name) !== runtime)
      throw new SamovarError("conflict", `Version ${version} of ${name} is not the active one: its schedule is that of the version which is`);
    const to = this.#address(runtime, []);
    for (const bound of toBounds(to, [])) assertRoom(bound, to, this.#pendingOf(to, bound), 1);
    const input: NewInput = {
      method: null,
      encoding: tickAtMs === null ? "none" : "json",
      reply: "value",
      stream: "values",
      request: null,
      body: tickAtMs === null ? null : Buffer.from(JSON.stringify({ tickAtMs })),
      delayMs: 0,
      priorityMs: 0,
      ttlMs: null,
      idempotencyKey: null,
      concurrencyKey: serialized ? "schedule" : null,
    };
    const task = toNewTask(to, input, ids("task"), clock.now());
    const [result] = await this.#insert([{ ...task, tick: tickAtMs === null ? null : String(tickAtMs) }]);
    return result!;
  }

  async isOver(id: string): Promise<boolean> {
    const record = await this.#options.store.get(id);
    return !record || isTaskOver(record.status);
  }

  async #insertStrangers({ name, queue }: FunctionRuntime, tasks: readonly NewTask[]): Promise<readonly PutTaskResult[]> {
    const all = tasks.reduce((sum, task) => sum + bytesOf(task), 0);
    const giveBack = this.#strangers.take({ name, queue }, all, this.#options.clock.now());
    let kept = 0;
    try {
      const results = await this.#insert(tasks);
      for (const [i, { created }] of results.entries()) if (created) kept += bytesOf(tasks[i]!);
      return results;
    } finally {
      giveBack(all - kept);
    }
  }

  async #insert(tasks: readonly NewTask[]): Promise<readonly PutTaskResult[]> {
    const inserted = await this.#options.queues.put(tasks);
    const conflict = inserted.findIndex((one) => one.conflict);
    if (conflict !== -1) {
      throw new SamovarError(
        "idempotency_conflict",
        `The idempotency key ${JSON.stringify(tasks[conflict]!.idempotencyKey)} was used for another input, in task ${inserted[conflict]!.id}: give each piece of work a key of its own`,
        { fields: { taskId: inserted[conflict]!.id } },
      );
    }
    return inserted.map((one) => ({ id: one.id, created: one.inserted }));
  }

  /** Deployed functions have one queue for all versions; what is for one version, or for one beside the active one, has its own. */
  #address(runtime: FunctionRuntime, parameters: readonly unknown[], isPinned = false): TaskAddress {
    const { manifest, name, app } = runtime;
    if (manifest.requiresParameters && parameters.length === 0)
      throw new SamovarError("invalid_request", `${name} needs constructor arguments: call it through .with(…), or give ?with=[…]`);
    if (parameters.length > 0 && manifest.kind !== "cls")
      throw new SamovarError("invalid_request", `${name} is not a class: it takes no constructor arguments`);
    const { registry, queues } = this.#options;
    const isShared = runtime.spec.session !== null || (!isPinned && registry.holder(name) === runtime);
    const base = isShared ? runtime.queue : versionQueue(runtime);
    if (!isShared) queues.serve(base, runtime);
    return { base, queue: toQueueName(base, parameters), functionName: name, app, parameters, manifest };
  }

  /** For whichever version: one that is named is no way around a bound. */
  #pendingOf({ queue }: TaskAddress, { ofFunction }: TaskBound): number {
    const { sharedBase, parameters } = parseQueueName(queue);
    return this.#options.queues.pendingOfAll(sharedBase, ofFunction ? null : parameters);
  }

  /** A key that stands for a task adds nothing: who sends a request again is answered as before, however full the queue is. */
  async #assertRoom(bound: TaskBound, to: TaskAddress, inputs: readonly NewInput[]): Promise<void> {
    const { store, clock } = this.#options;
    const keys = keysOf(inputs);
    const known = keys.length === 0 ? new Set<string>() : await store.knownKeys(to.queue, keys, clock.now());
    assertRoom(bound, to, this.#pendingOf(to, bound), countNew(inputs, known));
  }

  #runtimeOf(entry: FunctionEntry): FunctionRuntime {
    const runtime = this.#options.registry.byId(entry.functionId);
    if (!runtime) throw new SamovarError("not_found", `${entry.name} was removed meanwhile`);
    if (runtime.isStopped) throw new SamovarError("stopped", `${entry.name} was stopped: start it again with samovar deployment start ${entry.name}`);
    return runtime;
  }

  // --- what became of them

  answer(id: string, sink: InputSink): TaskWait {
    let isOver = false;
    const finish = (outcome: ReturnType<typeof outcomeOf>): void => {
      if (isOver || !outcome) return;
      isOver = true;
      stop();
      answerSink(sink, outcome);
    };
    const stop = this.#options.queues.changes.watch({ id }, (event) => {
      const tellsStart = event.status === "RUNNING" || isTaskOver(event.status);
      if (!isOver && tellsStart && event.started && event.started.containerId !== "") sink.started(event.started);
      finish(outcomeOfEvent(event));
    });
    const fail = (error: unknown): void => {
      const known = error instanceof SamovarError ? error : new SamovarError("internal", "The task could not be read", { cause: error });
      finish({ kind: "failure", failure: { error: known, thrown: null, containerId: null, attempt: 0 } });
    };
    // Watched first: what ends meanwhile is heard of, whatever the store says.
    this.#options.store.get(id).then((record) => {
      if (!record) return fail(unknownTask(id));
      const outcome = outcomeOf(record);
      const started = outcome && !isOver ? startOf(record) : null;
      if (started) sink.started(started);
      finish(outcome);
    }, fail);
    return {
      leave: () => {
        isOver = true;
        stop();
      },
    };
  }

  async get(id: string, maxResultBytes = MAX_SHOWN_RESULT_BYTES): Promise<TaskDetail | undefined> {
    const { store, callbackOf } = this.#options;
    const record = await store.get(id);
    if (!record) return undefined;
    const callback = record.callbackUrl === null ? null : await callbackOf(id);
    return toTaskDetail(record, { reason: this.#waitReason(record), callback, maxResultBytes });
  }

  #waitReason(record: TaskRecord): string | null {
    const { queues, clock } = this.#options;
    if (isTaskOver(record.status) || record.status === "RUNNING") return null;
    if (record.dueAtMs > clock.now()) return record.status === "RETRY" ? "its next attempt is not due yet" : "it is not due yet";
    if (!queues.isServed(parseQueueName(record.queue).base)) return this.#unservedReason(record);
    const queue = queues.find(record.queue);
    if (queue && !queue.holds(record.id) && record.concurrencyKey !== null)
      return `others of the concurrency key ${JSON.stringify(record.concurrencyKey)} are before it`;
    return queue?.waitReason ?? "others are before it";
  }

  async list(selection: TaskListing, page: { readonly limit: number; readonly cursor: string | null }): Promise<TaskPage> {
    const { tasks, cursor } = await this.#options.store.list(toFilter(selection), page);
    return { tasks: tasks.map(toTaskInfo), cursor };
  }

  async cancel(selection: TaskListing): Promise<readonly string[]> {
    return (await this.#options.queues.change("cancel", assertSelective(selection))).map(({ id }) => id);
  }

  /** What nobody takes any more would wait, and be cancelled by the next server: it stays what it is. */
  async retry(selection: TaskListing): Promise<RetriedTasks> {
    const { queues, store, registry, embedded } = this.#options;
    const filter = assertSelective(selection);
    // What is deployed is not known here, and waits for the server that has it.
    if (embedded) return { ids: (await queues.change("revive", filter)).map(({ id }) => id), unserved: [] };
    const bases = toServedBases(registry);
    const names = [...bases.keys()];
    const changed = await queues.change("revive", { ...filter, inBases: names });
    for (const base of new Set(changed.map(({ queue }) => parseQueueName(queue).base))) {
      const runtime = bases.get(base)!;
      if (!queues.isServed(base) && !runtime.isStopped) queues.serve(base, runtime);
    }
    const statuses = (filter.statuses ?? TASK_STATUSES).filter((status) => nextTaskStatus(status, "revive") !== undefined);
    const { tasks: left } = await store.list({ ...filter, statuses, notInBases: names }, { limit: MOST_TOLD, cursor: null });
    return { ids: changed.map(({ id }) => id), unserved: left.map((record) => ({ id: record.id, reason: this.#unservedReason(record) })) };
  }

  #unservedReason({ queue, functionName }: TaskRecord): string {
    const { registry, embedded } = this.#options;
    return describeUnserved(queue, functionName, toServedBases(registry).get(parseQueueName(queue).base), embedded);
  }

  watch(which: TaskWatch, listener: (change: TaskChange) => void): () => void {
    return this.#options.queues.changes.watch(which, ({ started: _started, answer: _answer, ...change }) => listener(change));
  }
}

/** A schedule's input is its tick, which nobody but the server says. */
const inputOf = ({ manifest }: FunctionRuntime, input: NewInput): NewInput =>
  manifest.kind === "schedule" ? { ...input, encoding: "none", body: null } : input;

/** A handle would get the bytes of a stream of items, of which it knows nothing. */
function assertNoStream({ manifest, name }: FunctionRuntime, inputs: readonly NewInput[]): void {
  const streams = ({ method, reply }: NewInput): boolean =>
    reply === "value" && ((method === null ? manifest.handler : manifest.methods[method])?.streaming ?? false);
  if (inputs.some(streams)) throw new SamovarError("invalid_request", `${name} is a generator, whose items nobody would read: call it with .stream(input)`);
}

function toFilter({ function: functionName, delivery, ...rest }: TaskListing): TaskFilter {
  return {
    ...rest,
    ...(functionName === undefined ? {} : { functionName }),
    ...(delivery === undefined ? {} : { durable: delivery === "queued" }),
  };
}

function assertSelective(selection: TaskListing): TaskFilter {
  const { delivery: _, ...selective } = selection;
  const isEmpty = Object.values(selective).every((value) => value === undefined);
  if (isEmpty) throw new SamovarError("invalid_request", "This would change every task there is: give ids, a function, an app, statuses or a time");
  return toFilter(selection);
}

export const unknownTask = (id: string): SamovarError =>
  new SamovarError("not_found", `No task has the id ${JSON.stringify(id)}: it never was, or is no longer kept`);
