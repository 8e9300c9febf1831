import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeClock, silentLogger } from "@samovar/kit";
import { DEFAULT_OPTIONS, SamovarError, type FunctionOptions, type RetryPolicy } from "@samovar/protocol";
import { openSqliteStorage, type LeftTask, type NewTask, type SqliteStorage, type TaskStore } from "@samovar/storage";
import type { FunctionRuntime } from "../function-runtime.ts";
import type { InputSource, SourcedInput } from "../input-source.ts";
import { TaskQueues } from "./task-queues.ts";

/** An attempt that a test ends as it likes. */
export interface Attempt {
  readonly id: string;
  readonly attempt: number;
  readonly input: string;
  /** The worker was asked to stop. */
  isCancelled: boolean;
  succeed(result?: string): void;
  /** It is over by its timeout, and its handler goes on: what `letGo` ends. */
  timeOut(): void;
  letGo(): void;
  fail(message: string, options?: { readonly retryable?: boolean; readonly code?: "handler_error" | "timeout" | "drained" | "container_lost" }): void;
}

/** A version of a function with so many slots, in place of pools and containers. */
export interface Version {
  readonly runtime: FunctionRuntime;
  readonly running: Attempt[];
  /** All that began, in order. */
  readonly begun: Attempt[];
  /** Its pool closes: nothing is taken any more. */
  close(): void;
  /** No source is fed. */
  refuse(refusal: SamovarError | null): void;
}

export interface QueuesUnderTest {
  readonly clock: FakeClock;
  readonly storage: SqliteStorage;
  readonly queues: TaskQueues;
  version(number: number, options?: { readonly slots?: number; readonly retries?: Partial<RetryPolicy> }): Version;
  task(id: string, more?: Partial<NewTask>): NewTask;
  /** Another server over what this one left; and what goes on in these containers, which may come back. */
  restart(containers?: readonly string[]): Promise<{ readonly queues: TaskQueues; readonly running: readonly LeftTask[] }>;
  /** All that was asked of the store is answered, and what followed from it. */
  settle(): Promise<void>;
  dispose(): Promise<void>;
}

/** Task queues over a real store. `wrap` may stand in front of it. */
export async function createQueues(wrap: (store: TaskStore) => TaskStore = (store) => store): Promise<QueuesUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), "samovar-queues-"));
  const clock = new FakeClock(1_800_000_000_000);
  const storage = await openSqliteStorage({ file: join(folder, "samovar.db"), logger: silentLogger, clock });
  const asked = countQuestions(storage.tasks);
  const create = (): TaskQueues =>
    new TaskQueues({ store: wrap(asked.store), clock, logger: silentLogger, random: () => 0, observer: { callbackDue() {}, attemptEnded() {} } });
  const all: TaskQueues[] = [];
  const start = (): TaskQueues => {
    const queues = create();
    all.push(queues);
    return queues;
  };
  const settle = async (): Promise<void> => {
    // Each answer may lead to another question.
    let before: number;
    do {
      before = asked.count;
      await storage.flush();
      await Promise.allSettled(asked.unanswered);
      await new Promise((resolve) => setImmediate(resolve));
    } while (asked.count !== before);
  };
  return {
    clock,
    storage,
    queues: start(),
    version: (number, { slots = 1, retries = {} } = {}) => createVersion(number, slots, { retries: { ...DEFAULT_OPTIONS.retries, jitter: false, ...retries } }),
    task: (id, more = {}) => ({
      id,
      queue: "work",
      functionName: "work",
      app: "app",
      method: null,
      parameters: "[]",
      encoding: "json",
      reply: "value",
      input: Buffer.from(id),
      createdAtMs: clock.now(),
      dueAtMs: clock.now(),
      priority: 0,
      expiresAtMs: null,
      concurrencyKey: null,
      idempotencyKey: null,
      idempotencyMs: 60_000,
      keepMs: 60_000,
      callbackUrl: null,
      tick: null,
      ...more,
    }),
    async restart(containers = []) {
      all.at(-1)!.dispose();
      const queues = start();
      const { running } = await queues.recover(new Set(containers));
      return { queues, running };
    },
    settle,
    async dispose() {
      for (const queues of all) queues.dispose();
      await storage.close();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

interface CountedQuestions {
  readonly store: TaskStore;
  readonly count: number;
  readonly unanswered: Iterable<Promise<unknown>>;
}

/** Behind `wrap`: an answer that a test holds back is an answer, nobody waits for it. */
function countQuestions(store: TaskStore): CountedQuestions {
  let count = 0;
  const unanswered = new Set<Promise<unknown>>();
  const counted = new Proxy(store, {
    get: (target, name) => {
      const method = Reflect.get(target, name) as (...args: unknown[]) => unknown;
      return (...args: unknown[]): unknown => {
        count++;
        const answer = method(...args);
        if (answer instanceof Promise) {
          const answered = (): void => void unanswered.delete(answer);
          unanswered.add(answer);
          answer.then(answered, answered);
        }
        return answer;
      };
    },
  });
  return {
    store: counted,
    unanswered,
    get count() {
      return count;
    },
  };
}

function createVersion(number: number, slots: number, options: Partial<FunctionOptions>): Version {
  const running: Attempt[] = [];
  const begun: Attempt[] = [];
  const sources = new Set<InputSource>();
  let isClosed = false;
  let refusal: SamovarError | null = null;
  const pump = (): void => {
    for (const source of sources) {
      while (running.length < slots && source.waiting > 0) {
        const next = source.take();
        if (next) begin(next);
      }
    }
  };
  const begin = (next: SourcedInput): void => {
    const { sink, attempt: number } = next;
    const { taskId: id, body } = next.request;
    const end = (tell: () => void, isReleased = true): void => {
      running.splice(running.indexOf(attempt), 1);
      if (isReleased) next.released();
      tell();
      pump();
    };
    const attempt: Attempt = {
      id,
      attempt: number,
      input: body?.toString() ?? "",
      isCancelled: false,
      succeed: (result = "null") => end(() => sink.result({ status: 200, headers: [["content-type", "application/json"]] }, Buffer.from(result))),
      fail: (message, { retryable = true, code = "handler_error" } = {}) =>
        end(() => sink.error({ error: new SamovarError(code, message), thrown: null, containerId: "ct_1", attempt: number, retryable })),
      timeOut: () => end(() => sink.error({ error: new SamovarError("timeout", "too long"), thrown: null, containerId: "ct_1", attempt: number }), false),
      letGo: () => next.released(),
    };
    next.given({
      cancel: () => void (attempt.isCancelled = true),
      resume() {},
    });
    running.push(attempt);
    begun.push(attempt);
    sink.started({ containerId: "ct_1", coldStart: false, queuedMs: 0, phases: [] });
  };
  const pool = {
    sourceChanged: pump,
    detach: (source: InputSource) => void sources.delete(source),
    info: () => ({ reason: null }),
  };
  const runtime = {
    functionId: "fn_work",
    name: "work",
    app: "app",
    version: number,
    manifest: { options: { ...DEFAULT_OPTIONS, ...options } },
    countTasksBy() {},
    leave() {},
    feed(_parameters: string, source: InputSource) {
      if (isClosed) throw new SamovarError("stopped", "closed");
      if (refusal) throw refusal;
      sources.add(source);
      return pool;
    },
  } as unknown as FunctionRuntime;
  return {
    runtime,
    running,
    begun,
    close() {
      isClosed = true;
      const closing = [...sources];
      sources.clear();
      for (const source of closing) source.detached();
    },
    refuse: (with_) => void (refusal = with_),
  };
}
