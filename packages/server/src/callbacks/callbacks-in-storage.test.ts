import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { silentLogger, systemClock } from "@samovar/kit";
import { createIdSource, type TaskDetail } from "@samovar/protocol";
import { openSqliteStorage, type CallbackStore, type NewTask, type Storage } from "@samovar/storage";
import { Callbacks } from "./callbacks.ts";
import { never, ok, sampleTask, startReceiver } from "./callbacks.fixture.ts";

const newId = createIdSource();

async function openStorage(): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), "samovar-callbacks-"));
  const storage = await openSqliteStorage({ file: join(folder, "samovar.db"), logger: silentLogger, clock: systemClock });
  onTestFinished(async () => {
    await storage.close();
    await rm(folder, { recursive: true, maxRetries: 5 });
  });
  return storage;
}

/** Each has ended by being cancelled. */
async function endTasks(storage: Storage, urls: readonly string[]): Promise<readonly string[]> {
  const nowMs = Date.now();
  const tasks = urls.map((callbackUrl): NewTask => {
    return {
      id: newId("task"),
      queue: "work",
      functionName: "work",
      app: "shop",
      method: null,
      parameters: "[]",
      encoding: "json",
      reply: "value",
      input: Buffer.from("1"),
      createdAtMs: nowMs,
      dueAtMs: nowMs,
      priority: 0,
      expiresAtMs: null,
      concurrencyKey: null,
      idempotencyKey: null,
      idempotencyMs: 0,
      keepMs: 3_600_000,
      callbackUrl,
      tick: null,
    };
  });
  await storage.tasks.insert(tasks);
  const taskIds = tasks.map(({ id }) => id);
  await storage.tasks.change("cancel", { ids: taskIds }, nowMs);
  return taskIds;
}

/** With what tells when so many are settled: a request that came in is not on disk yet. */
function start(
  storage: Storage,
  revive = storage.callbacks.revive,
): { readonly callbacks: Callbacks; readonly untilSettled: (count: number) => Promise<void> } {
  let settled = 0;
  const waiting = new Map<number, () => void>();
  const store: CallbackStore = {
    ...storage.callbacks,
    revive,
    settle: async (id, attempt, outcome) => {
      const isSettled = await storage.callbacks.settle(id, attempt, outcome);
      waiting.get(++settled)?.();
      return isSettled;
    },
  };
  const detail = async (id: string): Promise<TaskDetail | undefined> => {
    const record = await storage.tasks.get(id);
    return record && sampleTask(id, { status: record.status, endedAtMs: record.endedAtMs, result: undefined });
  };
  const callbacks = new Callbacks({
    store,
    detail,
    secret: Buffer.alloc(32, 7),
    allow: [],
    deny: [],
    url: () => "",
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
    limits: { laneLength: 8 },
  });
  onTestFinished(() => callbacks.dispose());
  return { callbacks, untilSettled: (count) => new Promise((resolve) => waiting.set(count, resolve)) };
}

test("each task that ended is told once, and those of a receiver that never answers keep back no others", async () => {
  const [storage, dead, living] = [await openStorage(), await startReceiver(never), await startReceiver()];
  // More than one question to the store gives.
  await endTasks(storage, Array<string>(300).fill(dead.url));
  const told = await endTasks(storage, Array<string>(40).fill(living.url));
  const others = await storage.callbacks.due(Date.now(), 1_000, [dead.url]);
  expect(new Set(others.callbacks.map(({ taskId }) => taskId))).toEqual(new Set(told));

  const { callbacks, untilSettled } = start(storage);
  callbacks.wake();
  await Promise.all([untilSettled(40), dead.until(4)]);
  expect(new Set(living.received.map(({ body }) => (JSON.parse(body) as { data: { id: string } }).data.id))).toEqual(new Set(told));
  expect(dead.received).toHaveLength(4);
  await callbacks.dispose();
  const [pending, delivered] = [await callbacks.list({ state: "pending", limit: 1_000 }), await callbacks.list({ state: "delivered", limit: 1_000 })];
  expect([pending.length, delivered.length]).toEqual([300, 40]);

  // The next server begins with those that were in flight; in which order connections bring them is theirs.
  dead.answer = ok;
  const next = start(storage);
  next.callbacks.wake();
  await next.untilSettled(20);
  const ids = dead.received.map(({ headers }) => headers["webhook-id"]);
  expect(ids.slice(4)).toEqual(expect.arrayContaining(ids.slice(0, 4)));
  expect(new Set(ids.slice(4)).size).toBe(ids.length - 4);
});

/** All of them, for good. */
async function failAll({ callbacks }: Storage): Promise<void> {
  const pending = await callbacks.list({ state: "pending", limit: 1_000 });
  await Promise.all(pending.map(({ id }) => callbacks.settle(id, 1, { kind: "failed", atMs: Date.now(), error: "410" })));
}

test("all that failed are sent once more, also where one that stands between two pages goes meanwhile", async () => {
  const [storage, receiver] = [await openStorage(), await startReceiver(never)];
  await endTasks(storage, Array<string>(600).fill(receiver.url));
  await failAll(storage);
  const last = (await storage.callbacks.list({ limit: 500 })).at(-1)!;
  const { callbacks } = start(storage, async (id, nowMs) => {
    const revived = await storage.callbacks.revive(id, nowMs);
    // With its end goes the callback of it.
    if (id === last.id) await storage.tasks.change("revive", { ids: [last.taskId] }, nowMs);
    return revived;
  });
  expect(await callbacks.retryFailed({})).toBe(600);
  expect(await callbacks.get(last.id)).toBeUndefined();
  expect(await callbacks.list({ state: "failed", limit: 10 })).toEqual([]);
});

test("one whose task was queued once more since has nothing to tell, by itself or among all that failed", async () => {
  const storage = await openStorage();
  const [taskId] = await endTasks(storage, ["http://127.0.0.1:9"]);
  await failAll(storage);
  await storage.tasks.change("revive", { ids: [taskId!] }, Date.now());
  const { callbacks } = start(storage);
  const [failed] = await callbacks.list({ limit: 10 });
  await expect(callbacks.retry(failed!.id)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("queued once more") });
  expect(await callbacks.retryFailed({})).toBe(0);
});
