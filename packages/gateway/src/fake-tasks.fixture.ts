import {
  SamovarError,
  isTaskOver,
  nextTaskStatus,
  type AnswerHead,
  type CallbackInfo,
  type PutTaskResult,
  type ScheduleInfo,
  type TaskChange,
  type TaskDetail,
  type TaskPage,
  type TaskListing,
  type TaskStatus,
} from "@samovar/protocol";
import type {
  CallbackControl,
  FunctionEntry,
  InputFailure,
  InputSink,
  NewInput,
  RetriedTasks,
  ScheduleControl,
  StartedInfo,
  TaskControl,
  TaskWait,
  TaskWatch,
} from "@samovar/scheduler";

/** What became of a task: whole, in pieces, or not. */
export type FakeEnding =
  | { readonly head: AnswerHead; readonly body: Buffer }
  | { readonly head: AnswerHead; readonly chunks: readonly Buffer[] }
  | { readonly failure: InputFailure };

export interface FakeTask {
  detail: TaskDetail;
  readonly input: NewInput;
  readonly parameters: readonly unknown[];
  ending: FakeEnding | null;
  started: StartedInfo | null;
  readonly sinks: Set<InputSink>;
}

const DETAIL: Omit<TaskDetail, "id" | "function" | "app" | "method" | "parameters"> = {
  delivery: "queued",
  version: null,
  status: "PENDING",
  attempts: [],
  createdAtMs: 1,
  dueAtMs: 1,
  startedAtMs: null,
  endedAtMs: null,
  expiresAtMs: null,
  priorityMs: 0,
  concurrencyKey: null,
  idempotencyKey: null,
  tickAtMs: null,
  error: null,
  resultType: null,
  resultBytes: null,
  reason: null,
  callback: null,
};

/** Tasks that end when a test says so. Counts who waits and watches. */
export class FakeTasks implements TaskControl {
  readonly all = new Map<string, FakeTask>();
  readonly asked: unknown[];
  /** In place of putting: what `put` rejects with. */
  refusal: SamovarError | null = null;
  /** Nobody serves this function any more. */
  gone: string | null = null;
  /** Put tasks are on disk when this resolves. */
  disk: Promise<void> = Promise.resolve();
  /** Told of each new task. */
  onPut: (task: FakeTask) => void = () => {};
  readonly #keys = new Map<string, FakeTask>();
  readonly #watchers = new Set<{ readonly which: TaskWatch; readonly listener: (change: TaskChange) => void }>();
  readonly #observers = new Set<() => void>();

  constructor(asked: unknown[]) {
    this.asked = asked;
  }

  /** Who waits for an end or for changes. */
  get listeners(): number {
    return this.#watchers.size + [...this.all.values()].reduce((sum, { sinks }) => sum + sinks.size, 0);
  }

  /** Resolves as soon as `condition` holds; looked at after all that is asked of this. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#observers.delete(look);
        resolve();
      };
      this.#observers.add(look);
      look();
    });
  }

  async put(entry: FunctionEntry, parameters: readonly unknown[], inputs: readonly NewInput[]): Promise<readonly PutTaskResult[]> {
    if (this.refusal) throw this.refusal;
    const results = inputs.map((input): PutTaskResult => {
      const key = input.idempotencyKey === null ? null : `${entry.name}/${input.idempotencyKey}`;
      const earlier = key === null ? undefined : this.#keys.get(key);
      if (earlier) {
        if ((earlier.input.body ?? "").toString() !== (input.body ?? "").toString())
          throw new SamovarError("idempotency_conflict", `The key "${input.idempotencyKey}" was used for another input`);
        return { id: earlier.detail.id, created: false };
      }
      const id = `tk_${this.all.size + 1}`;
      const task = this.add(
        { id, function: entry.name, app: entry.app, method: input.method, parameters, priorityMs: input.priorityMs, idempotencyKey: input.idempotencyKey },
        input,
      );
      if (key !== null) this.#keys.set(key, task);
      return { id, created: true };
    });
    this.#observe();
    await this.disk;
    for (const { id, created } of results) if (created) this.onPut(this.all.get(id)!);
    this.#observe();
    return results;
  }

  /** One that is there already. */
  add(
    detail: Partial<TaskDetail> & { readonly id: string },
    input: NewInput = {
      method: null,
      encoding: "none",
      reply: "http",
      stream: "ndjson",
      request: null,
      body: null,
      delayMs: 0,
      priorityMs: 0,
      ttlMs: null,
      idempotencyKey: null,
      concurrencyKey: null,
    },
  ): FakeTask {
    const task: FakeTask = {
      detail: { ...DETAIL, function: "predict", app: "app", method: null, parameters: [], ...detail },
      input,
      parameters: detail.parameters ?? [],
      ending: null,
      started: null,
      sinks: new Set(),
    };
    this.all.set(detail.id, task);
    return task;
  }

  start(id: string, info: StartedInfo): void {
    const task = this.all.get(id)!;
    task.started = info;
    for (const sink of task.sinks) sink.started(info);
    this.change(id, "RUNNING");
  }

  change(id: string, status: TaskStatus, detail: Partial<TaskDetail> = {}): void {
    const task = this.all.get(id)!;
    task.detail = { ...task.detail, ...detail, status };
    const { function: functionName, app } = task.detail;
    for (const { which, listener } of this.#watchers) {
      if ((which.id ?? id) !== id || (which.function ?? functionName) !== functionName || (which.app ?? app) !== app) continue;
      listener({ id, function: functionName, app, status, attempt: task.detail.attempts.length, atMs: 5 });
    }
    this.#observe();
  }

  end(id: string, ending: FakeEnding, detail: Partial<TaskDetail> = {}): void {
    const task = this.all.get(id)!;
    task.ending = ending;
    this.change(id, detail.status ?? ("failure" in ending ? "ERROR" : "COMPLETE"), {
      endedAtMs: 9,
      resultType: "failure" in ending ? null : typeOf(ending.head),
      ...detail,
    });
    for (const sink of task.sinks) deliver(sink, task);
    task.sinks.clear();
    this.#observe();
  }

  answer(id: string, sink: InputSink): TaskWait {
    const task = this.all.get(id);
    let left = false;
    // As from a database: never at once.
    queueMicrotask(() => {
      if (left) return;
      if (!task)
        sink.error({ error: new SamovarError("not_found", `No task has the id "${id}"`), thrown: null, containerId: null, attempt: 0, retryable: false });
      else if (task.ending) deliver(sink, task);
      else {
        if (task.started) sink.started(task.started);
        task.sinks.add(sink);
      }
      this.#observe();
    });
    return {
      leave: () => {
        left = true;
        task?.sinks.delete(sink);
        this.#observe();
      },
    };
  }

  async get(id: string): Promise<TaskDetail | undefined> {
    return this.all.get(id)?.detail;
  }

  async list(selection: TaskListing, page: { readonly limit: number; readonly cursor: string | null }): Promise<TaskPage> {
    this.asked.push(["listTasks", selection, page]);
    const found = this.#select(selection);
    return { tasks: found.map(({ detail }) => infoOf(detail)), cursor: found.length > page.limit ? "next" : null };
  }

  async cancel(selection: TaskListing): Promise<readonly string[]> {
    return this.#changeAll("cancel", selection);
  }

  async retry(selection: TaskListing): Promise<RetriedTasks> {
    const gone = this.#select(selection).filter(({ detail }) => detail.function === this.gone);
    const unserved = gone.map(({ detail: { id } }) => ({ id, reason: `nobody serves ${this.gone} any more` }));
    return { ids: unserved.length > 0 ? [] : this.#changeAll("revive", selection), unserved };
  }

  watch(which: TaskWatch, listener: (change: TaskChange) => void): () => void {
    const watcher = { which, listener };
    this.#watchers.add(watcher);
    this.#observe();
    return () => {
      this.#watchers.delete(watcher);
      this.#observe();
    };
  }

  #changeAll(event: "cancel" | "revive", selection: TaskListing): readonly string[] {
    this.asked.push([event, selection]);
    return this.#select(selection).flatMap(({ detail: { id, status } }) => {
      const next = nextTaskStatus(status, event);
      if (next === undefined) return [];
      if (isTaskOver(next)) this.end(id, { failure: CANCELLED }, { status: next });
      else this.change(id, next);
      return [id];
    });
  }

  #select({ ids, app, function: name, statuses, delivery }: TaskListing): FakeTask[] {
    return [...this.all.values()].filter(
      ({ detail }) =>
        (ids?.includes(detail.id) ?? true) &&
        (app ?? detail.app) === detail.app &&
        (name ?? detail.function) === detail.function &&
        (delivery ?? detail.delivery) === detail.delivery &&
        (statuses?.includes(detail.status) ?? true),
    );
  }

  #observe(): void {
    for (const look of this.#observers) look();
  }
}

const CANCELLED: InputFailure = {
  error: new SamovarError("cancelled", "The task was cancelled"),
  thrown: null,
  containerId: null,
  attempt: 0,
  retryable: false,
};

export const infoOf = ({ result: _result, resultType: _type, resultBytes: _bytes, input: _input, reason: _reason, callback: _callback, ...info }: TaskDetail) =>
  info;

const typeOf = (head: AnswerHead): string | null => head.headers.find(([name]) => name === "content-type")?.[1] ?? null;

function deliver(sink: InputSink, { ending, started }: FakeTask): void {
  if (started) sink.started(started);
  if ("failure" in ending!) return sink.error(ending.failure);
  if ("body" in ending!) return sink.result(ending.head, ending.body);
  sink.head(ending!.head);
  for (const chunk of ending!.chunks) sink.data(chunk);
  sink.end();
}

export const SCHEDULE: ScheduleInfo = {
  name: "nightly",
  app: "app",
  id: "fn_nightly_1",
  when: "@daily",
  timezone: null,
  overlap: "skip",
  catchUp: "last",
  state: "active",
  nextRunsAtMs: [10, 20],
  lastTickAtMs: null,
  lastTaskId: null,
};

/** `nightly` of the app "app", `hourly` of another. */
export function createFakeSchedules(asked: unknown[]): ScheduleControl {
  const all = [SCHEDULE, { ...SCHEDULE, name: "hourly", app: "other" }];
  const get = (name: string): ScheduleInfo => {
    const found = all.find((each) => each.name === name);
    if (!found) throw new SamovarError("not_found", `No schedule is named "${name}"`);
    return found;
  };
  return {
    list: () => all,
    get,
    async run(name) {
      asked.push(["runSchedule", get(name).name]);
      return "tk_run";
    },
    async pause(name) {
      asked.push(["pause", name]);
      return { ...get(name), state: "paused" };
    },
    async resume(name) {
      asked.push(["resume", name]);
      return get(name);
    },
  };
}

export const CALLBACK: CallbackInfo = {
  id: "cb_1",
  taskId: "tk_1",
  function: "predict",
  app: "app",
  url: "https://example.org/hook",
  state: "failed",
  attempts: 8,
  createdAtMs: 1,
  dueAtMs: null,
  endedAtMs: 2,
  lastError: "503",
};

/** `cb_1` of the app "app", `cb_2` of another. */
export function createFakeCallbacks(asked: unknown[]): CallbackControl {
  const all = [CALLBACK, { ...CALLBACK, id: "cb_2", app: "other" }];
  return {
    async list(filter) {
      asked.push(["listCallbacks", filter]);
      return all.filter(({ app, state }) => (filter.app ?? app) === app && (filter.state ?? state) === state);
    },
    get: async (id) => all.find((each) => each.id === id),
    secret: (app) => `whsec_${app}`,
    async retry(id) {
      asked.push(["retryCallback", id]);
      return { ...CALLBACK, id, state: "pending" };
    },
    async retryFailed(filter) {
      asked.push(["retryFailedCallbacks", filter]);
      return 2;
    },
  };
}
