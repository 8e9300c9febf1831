import { isTaskOver, nextTaskStatus, TASK_STATUSES, toRank, type CallbackInfo, type TaskAttempt, type TaskStatus } from "@samovar/protocol";
import type { CallbackOutcome } from "./callback-store.ts";
import type { ChangedTask, InsertedTask, NewTask, QueuePosition, SettledTask, TaskFilter, TaskRecord, TaskSettlement, TaskStart } from "./task-store.ts";

interface Modelled {
  readonly task: NewTask;
  status: TaskStatus;
  dueAtMs: number;
  /** When it expires, as long as no attempt has begun. */
  mortalUntilMs: number | null;
  /** What was due was said to be: by insert, settle or promote. */
  isPromoted: boolean;
  failures: number;
  attempt: number;
  attempts: TaskAttempt[];
  endedAtMs: number | null;
  result: TaskSettlement["result"];
}

/** One end of a task that has a URL. */
interface ModelledCallback {
  readonly taskId: string;
  readonly createdAtMs: number;
  state: CallbackInfo["state"];
  attempts: number;
  dueAtMs: number | null;
  endedAtMs: number | null;
}

/**
 * What a store of tasks does, as plainly as it can be said: lists that are searched from their beginning. Everything
 * an adapter answers is compared with what this one does.
 */
export class TaskModel {
  readonly #tasks: Modelled[] = [];
  /** Of each queue and concurrency key: those that are not over, in their turn. */
  readonly #lines = new Map<string, Modelled[]>();
  readonly #callbacks: ModelledCallback[] = [];
  readonly #keys: { readonly name: string; readonly task: NewTask; readonly untilMs: number }[] = [];

  insert(tasks: readonly NewTask[]): InsertedTask[] {
    const kept = { tasks: [...this.#tasks], keys: [...this.#keys], lines: [...this.#lines].map(([name, line]) => [name, line.slice()] as const) };
    const inserted = tasks.map((task) => this.#insert(task));
    if (!inserted.some(({ conflict }) => conflict)) return inserted;
    this.#tasks.splice(0, Infinity, ...kept.tasks);
    this.#keys.splice(0, Infinity, ...kept.keys);
    this.#lines.clear();
    for (const [name, line] of kept.lines) this.#lines.set(name, line);
    return inserted.map((each, index) => (each.conflict ? each : { id: tasks[index]!.id, inserted: false, conflict: false, ready: false }));
  }

  #insert(task: NewTask): InsertedTask {
    const names = [task.idempotencyKey !== null && `${task.queue} key ${task.idempotencyKey}`, task.tick !== null && `${task.queue} tick ${task.tick}`];
    const seen = names.flatMap((name) => this.#keys.filter((key) => key.name === name && key.untilMs > task.createdAtMs))[0];
    if (seen) return { id: seen.task.id, inserted: false, conflict: seen.name === names[0] && askOf(seen.task) !== askOf(task), ready: false };
    if (names[0]) this.#keys.push({ name: names[0], task, untilMs: task.createdAtMs + task.idempotencyMs });
    if (names[1]) this.#keys.push({ name: names[1], task, untilMs: Infinity });
    const modelled: Modelled = {
      task,
      status: "PENDING",
      dueAtMs: task.dueAtMs,
      mortalUntilMs: task.expiresAtMs,
      isPromoted: task.dueAtMs <= task.createdAtMs,
      failures: 0,
      attempt: 0,
      attempts: [],
      endedAtMs: null,
      result: null,
    };
    this.#tasks.push(modelled);
    this.#line(task)?.push(modelled);
    // Behind others nobody says that it is due; the end of the one before it will.
    if (!this.#isHead(modelled)) modelled.isPromoted = false;
    return { id: task.id, inserted: true, conflict: false, ready: this.#isReady(modelled) };
  }

  ready(queue: string, after: QueuePosition | null, limit: number) {
    return this.#tasks
      .filter((each) => each.task.queue === queue && this.#isReady(each))
      .map((each) => ({ rank: rankOf(each), id: each.task.id, attempt: each.attempt, failures: each.failures, expiresAtMs: each.mortalUntilMs }))
      .sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : 1))
      .filter((each) => !after || each.rank > after.rank || (each.rank === after.rank && each.id > after.id))
      .slice(0, limit);
  }

  promote(nowMs: number) {
    const waiting = this.#tasks.filter((each) => !isTaskOver(each.status) && each.status !== "RUNNING" && !each.isPromoted && this.#isHead(each));
    const due = waiting.filter((each) => each.dueAtMs <= nowMs);
    for (const each of due) each.isPromoted = true;
    const later = waiting.filter((each) => !due.includes(each)).map((each) => each.dueAtMs);
    const expiries = this.#tasks.map((each) => each.mortalUntilMs).filter((atMs) => atMs !== null);
    return {
      queues: [...new Set(due.map((each) => each.task.queue))]
        .toSorted()
        .map((queue) => ({ queue, fromRank: Math.min(...due.filter((each) => each.task.queue === queue).map(rankOf)) })),
      nextDueAtMs: toEarliest(later),
      nextExpiryAtMs: toEarliest(expiries),
    };
  }

  started(start: TaskStart): void {
    const each = this.#find(start.id);
    if (!each || !this.#isReady(each) || each.attempt + 1 !== start.attempt) return;
    const { id: _, attempt: number, ...rest } = start;
    each.status = nextTaskStatus(each.status, "start")!;
    each.attempt = number;
    each.mortalUntilMs = null;
    each.attempts.push({ ...rest, number, endedAtMs: null, outcome: null, error: null });
  }

  settle(settlement: TaskSettlement): SettledTask {
    const each = this.#find(settlement.id);
    const status = each && each.attempt === settlement.attempt ? nextTaskStatus(each.status, settlement.event) : undefined;
    if (!each || status === undefined) return { applied: false, isReady: false };
    const { endedAtMs, event, error } = settlement;
    const outcome = ({ succeed: "complete", fail: "error", "time-out": "timeout", retry: "error", "give-back": "given-back" } as const)[event];
    each.attempts.push({ ...each.attempts.pop()!, endedAtMs, outcome, error });
    each.status = status;
    if (event !== "succeed" && event !== "give-back") each.failures += 1;
    if (isTaskOver(status)) {
      each.result = settlement.result;
      const head = this.#end(each, endedAtMs);
      return { applied: true, isReady: false, ...(head && { next: { rank: rankOf(head), id: head.task.id, dueAtMs: head.dueAtMs } }) };
    }
    if (event === "retry") {
      each.dueAtMs = settlement.dueAtMs ?? endedAtMs;
      each.isPromoted = each.dueAtMs <= endedAtMs;
    }
    return { applied: true, isReady: this.#isReady(each) };
  }

  change(event: "cancel" | "expire" | "revive", which: TaskFilter, nowMs: number): ChangedTask[] {
    const changed: ChangedTask[] = [];
    const matching = this.#matching(which).filter((each) => nextTaskStatus(each.status, event) !== undefined);
    // From the end of a line, so that none is ready in between; back into it in the order of insertion.
    for (const each of event === "revive" ? matching : matching.toReversed()) {
      const wasRunning = each.status === "RUNNING";
      each.status = nextTaskStatus(each.status, event)!;
      if (wasRunning) each.attempts.push({ ...each.attempts.pop()!, endedAtMs: nowMs, outcome: "cancelled" });
      if (event === "revive") {
        each.failures = 0;
        each.endedAtMs = null;
        each.dueAtMs = nowMs;
        const { createdAtMs, expiresAtMs } = each.task;
        each.mortalUntilMs = expiresAtMs === null ? null : nowMs + expiresAtMs - createdAtMs;
        this.#callbacks.splice(0, Infinity, ...this.#callbacks.filter(({ taskId, state }) => taskId !== each.task.id || state !== "pending"));
        this.#line(each.task)?.push(each);
        each.isPromoted = this.#isHead(each);
      } else this.#end(each, nowMs);
      const { id, queue, functionName, app } = each.task;
      changed.push({ id, queue, functionName, app, status: each.status, attempt: wasRunning ? each.attempt : null });
    }
    return changed.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): TaskRecord | undefined {
    const each = this.#find(id);
    return each && { ...toRecord(each), result: each.result, input: each.task.input };
  }

  list(filter: TaskFilter): TaskRecord[] {
    return this.#matching(filter).toReversed().map(toRecord);
  }

  counts(queue: string): Partial<Record<TaskStatus, number>> {
    const ofQueue = this.#tasks.filter((each) => each.task.queue === queue);
    const counts = TASK_STATUSES.filter((status) => !isTaskOver(status)).map(
      (status) => [status, ofQueue.filter((each) => each.status === status).length] as const,
    );
    return Object.fromEntries(counts.filter(([, n]) => n > 0));
  }

  recover(nowMs: number, keptContainers: ReadonlySet<string>) {
    const running = this.#tasks.filter(({ status }) => status === "RUNNING");
    const left = running.filter(({ attempts }) => keptContainers.has(attempts.at(-1)!.containerId));
    for (const each of running.filter((one) => !left.includes(one))) {
      each.status = nextTaskStatus("RUNNING", "give-back")!;
      each.attempts.push({ ...each.attempts.pop()!, endedAtMs: nowMs, outcome: "given-back" });
    }
    return {
      queues: [...new Set(this.#tasks.filter(({ status }) => !isTaskOver(status)).map(({ task }) => task.queue))].toSorted(),
      running: left.map((each) => {
        const { version, containerId, startedAtMs } = each.attempts.at(-1)!;
        const { queue, app, functionName, id, input } = each.task;
        const task = { rank: rankOf(each), id, input, attempt: each.attempt - 1, failures: each.failures, expiresAtMs: each.mortalUntilMs };
        return { queue, app, functionName, version, containerId, startedAtMs, task };
      }),
    };
  }

  prune(nowMs: number): void {
    const isTold = (id: string): boolean => !this.callbacks(id).some(({ state }) => state === "pending");
    const kept = this.#tasks.filter((each) => each.endedAtMs === null || each.endedAtMs + each.task.keepMs >= nowMs || !isTold(each.task.id));
    const ids = new Set(kept.map((each) => each.task.id));
    this.#callbacks.splice(0, Infinity, ...this.#callbacks.filter(({ taskId, state }) => state === "failed" || ids.has(taskId)));
    this.#tasks.splice(0, Infinity, ...kept);
  }

  /** Of a task, newest first. */
  callbacks(taskId: string): ModelledCallback[] {
    return this.#callbacks.filter((each) => each.taskId === taskId).toReversed();
  }

  due(nowMs: number) {
    const pending = this.#callbacks.filter(({ state }) => state === "pending").toSorted((a, b) => a.dueAtMs! - b.dueAtMs!);
    const due = pending.filter(({ dueAtMs }) => dueAtMs! <= nowMs).map(({ taskId, attempts, createdAtMs }) => ({ taskId, attempt: attempts + 1, createdAtMs }));
    return { due, nextDueAtMs: toEarliest(pending.slice(due.length).map(({ dueAtMs }) => dueAtMs!)) };
  }

  settleCallback(callback: ModelledCallback, attempt: number, outcome: CallbackOutcome): boolean {
    if (callback.state !== "pending" || callback.attempts + 1 !== attempt) return false;
    callback.attempts = attempt;
    callback.dueAtMs = outcome.kind === "again" ? outcome.dueAtMs : null;
    callback.endedAtMs = outcome.kind === "again" ? null : outcome.atMs;
    if (outcome.kind !== "again") callback.state = outcome.kind;
    return true;
  }

  reviveCallback(callback: ModelledCallback, nowMs: number): boolean {
    if (callback.state !== "failed" || !this.#find(callback.taskId)) return false;
    Object.assign(callback, { state: "pending", attempts: 0, dueAtMs: nowMs, endedAtMs: null });
    return true;
  }

  #find(id: string): Modelled | undefined {
    return this.#tasks.find((each) => each.task.id === id);
  }

  #line({ queue, concurrencyKey }: NewTask): Modelled[] | undefined {
    if (concurrencyKey === null) return undefined;
    const name = `${queue} ${concurrencyKey}`;
    if (!this.#lines.has(name)) this.#lines.set(name, []);
    return this.#lines.get(name);
  }

  #isHead(each: Modelled): boolean {
    const line = this.#line(each.task);
    return !line || line[0] === each;
  }

  #isReady(each: Modelled): boolean {
    return (each.status === "PENDING" || each.status === "RETRY") && each.isPromoted && this.#isHead(each);
  }

  /** The next of its key, which that one held back. */
  #end(each: Modelled, nowMs: number): Modelled | null {
    each.endedAtMs = nowMs;
    each.mortalUntilMs = null;
    if (each.task.callbackUrl !== null)
      this.#callbacks.push({ taskId: each.task.id, createdAtMs: nowMs, state: "pending", attempts: 0, dueAtMs: nowMs, endedAtMs: null });
    const line = this.#line(each.task);
    if (!line) return null;
    const wasHead = line[0] === each;
    line.splice(line.indexOf(each), 1);
    const [head] = line;
    if (!wasHead || !head) return null;
    head.isPromoted = head.dueAtMs <= nowMs;
    return head;
  }

  #matching(filter: TaskFilter): Modelled[] {
    return this.#tasks.filter(
      (each) =>
        (filter.ids?.includes(each.task.id) ?? true) &&
        (filter.queue ?? each.task.queue) === each.task.queue &&
        (filter.functionName ?? each.task.functionName).toLowerCase() === each.task.functionName.toLowerCase() &&
        (filter.app ?? each.task.app) === each.task.app &&
        (filter.statuses?.includes(each.status) ?? true) &&
        each.task.createdAtMs < (filter.createdBeforeMs ?? Infinity) &&
        each.task.createdAtMs > (filter.createdAfterMs ?? -Infinity) &&
        (filter.expiredByMs === undefined || (each.mortalUntilMs ?? Infinity) <= filter.expiredByMs),
    );
  }
}

function askOf({ method, parameters, encoding, input }: NewTask): string {
  return JSON.stringify([method, parameters, encoding, [...input]]);
}

function toEarliest(times: readonly number[]): number | null {
  return times.length === 0 ? null : Math.min(...times);
}

function rankOf({ dueAtMs, task }: Modelled): number {
  return toRank(dueAtMs, task.priority);
}

function toRecord(each: Modelled): TaskRecord {
  const { input: _, idempotencyMs: __, ...task } = each.task;
  const failed = each.status === "ERROR" || each.status === "TIMEOUT" || each.status === "RETRY";
  return {
    ...task,
    durable: true,
    dueAtMs: each.dueAtMs,
    expiresAtMs: each.mortalUntilMs ?? each.task.expiresAtMs,
    status: each.status,
    attempts: [...each.attempts],
    startedAtMs: each.attempts[0]?.startedAtMs ?? null,
    endedAtMs: each.endedAtMs,
    error: failed ? (each.attempts.at(-1)?.error ?? null) : null,
    result: null,
    input: null,
  };
}
