import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { TASK_STATUSES, type CallbackInfo } from "@samovar/protocol";
import { seeded, silentLogger, systemClock } from "@samovar/kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import { openSqliteStorage, type SqliteStorage } from "./sqlite-storage.ts";
import { TaskModel } from "./task-model.fixture.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";
import type { NewTask, TaskFilter, TaskRecord, TaskStore } from "./task-store.ts";

const SEQUENCES = 200;
const STEPS = 40;

let folder: string;
let storage: SqliteStorage;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-storage-"));
  storage = await open();
});

afterAll(async () => {
  await storage.close();
  await rm(folder, { recursive: true, maxRetries: 5 });
});

const open = () => openSqliteStorage({ file: path.join(folder, "samovar.db"), logger: silentLogger, clock: systemClock });

/** The same seed, the same sequence. */
function createRandom(seed: number) {
  const next = seeded(seed);
  const below = (n: number): number => Math.floor(next() * n);
  const chance = (p: number): boolean => next() < p;
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  return { below, chance, pick };
}

/** One sequence, in queues of its own: every answer of the store is compared with the model's. */
async function compare(tasks: TaskStore, seed: number, reopen: () => Promise<TaskStore>): Promise<void> {
  const { below, chance, pick } = createRandom(seed);
  const model = new TaskModel();
  const queues = [`a-${seed}`, `b-${seed}`];
  const ids: string[] = [];
  let nowMs = NOW_MS;
  const someId = (): string => (ids.length === 0 || chance(0.02) ? "nobody" : pick(ids));
  const ofOurs = (records: readonly TaskRecord[]): readonly TaskRecord[] => records.filter((each) => queues.includes(each.queue));

  const newTask = (): NewTask => {
    const id = `tk_${seed}_${String(below(1_000)).padStart(3, "0")}_${ids.length}`;
    ids.push(id);
    return taskSample(id, {
      queue: pick(queues),
      app: `${pick(["x", "y"])}-${seed}`,
      functionName: `${pick(["F", "f", "g"])}-${seed}`,
      createdAtMs: nowMs,
      dueAtMs: nowMs + (chance(0.3) ? below(3_000) : 0),
      priority: pick([0, 0, 1, -2, 0.5]),
      expiresAtMs: chance(0.2) ? nowMs + below(2_000) : null,
      input: new Uint8Array([pick([1, 1, 1, 2])]),
      concurrencyKey: chance(0.5) ? pick(["k", "l"]) : null,
      idempotencyKey: chance(0.1) ? pick(["i", "j"]) : null,
      idempotencyMs: 1_500,
      callbackUrl: chance(0.3) ? "https://example.com/done" : null,
      tick: chance(0.05) ? pick(["1", "2", "3"]) : null,
      keepMs: pick([0, 1_000, 100_000]),
    });
  };

  const filter = (): TaskFilter => ({
    ...(chance(0.3) ? { ids: Array.from({ length: below(4) }, someId) } : {}),
    // The file has the tasks of all sequences.
    ...(chance(0.5) ? { queue: pick(queues) } : chance(0.5) ? { app: `${pick(["x", "y"])}-${seed}` } : { functionName: `${pick(["F", "g", "G"])}-${seed}` }),
    ...(chance(0.5) ? { statuses: TASK_STATUSES.filter(() => chance(0.4)) } : {}),
    ...(chance(0.2) ? { createdBeforeMs: nowMs - below(2_000) } : {}),
    ...(chance(0.2) ? { createdAfterMs: nowMs - below(2_000) } : {}),
    ...(chance(0.2) ? { expiredByMs: nowMs } : {}),
  });

  const expectCallbacks = async (id: string): Promise<readonly CallbackInfo[]> => {
    const listed = await storage.callbacks.list({ taskId: id, limit: 100 });
    const seen = listed.map(({ taskId, createdAtMs, state, attempts, dueAtMs, endedAtMs }) => ({ taskId, createdAtMs, state, attempts, dueAtMs, endedAtMs }));
    expect(seen).toEqual(model.callbacks(id));
    return listed;
  };

  /** Each end of a task in a batch is at the same time, and the order among them is nobody's business. */
  const inOrder = <T extends { readonly taskId: string; readonly createdAtMs: number }>(all: readonly T[]): T[] =>
    all.toSorted((a, b) => a.createdAtMs - b.createdAtMs || (a.taskId < b.taskId ? -1 : 1));

  const steps: readonly (readonly [weight: number, step: () => Promise<void>])[] = [
    [
      8,
      async () => {
        const batch = Array.from({ length: 1 + below(4) }, newTask);
        expect(await tasks.insert(batch)).toEqual(model.insert(batch));
      },
    ],
    [
      6,
      async () => {
        if (chance(0.2)) {
          // Of something that was not given out: written by itself, or it would find something else.
          const start = startSample(someId(), below(4), nowMs);
          tasks.started(start);
          model.started(start);
          await storage.flush();
        }
        // Several starts and ends in one turn. Starts of what was given out may be written later.
        const settled = await Promise.all(
          Array.from({ length: 1 + below(3) }, async () => {
            const ready = model.ready(pick(queues), null, 3)[0];
            if (!ready) return [];
            const start = startSample(ready.id, ready.attempt + 1, nowMs);
            tasks.started(start);
            model.started(start);
            if (chance(0.4)) return [];
            const event = pick(["succeed", "succeed", "fail", "time-out", "retry", "give-back"] as const);
            const settlement = settlementSample(start, {
              event,
              endedAtMs: nowMs + below(3),
              dueAtMs: event === "retry" && chance(0.8) ? nowMs + below(2_000) : null,
            });
            const expected = model.settle(settlement);
            return [await tasks.settle(settlement), expected];
          }),
        );
        for (const [actual, expected] of settled) expect(actual).toEqual(expected);
      },
    ],
    [
      4,
      async () => {
        const running = model.list({ statuses: ["RUNNING"] })[0];
        if (!running) return;
        const settlement = settlementSample(startSample(running.id, running.attempts.length - (chance(0.1) ? 1 : 0), running.attempts.at(-1)!.startedAtMs), {
          event: pick(["succeed", "fail", "retry", "give-back"] as const),
          endedAtMs: nowMs,
          dueAtMs: nowMs + below(1_000),
        });
        expect(await tasks.settle(settlement)).toEqual(model.settle(settlement));
      },
    ],
    [
      3,
      async () => {
        nowMs += below(1_500);
        const { queues: promoted, ...next } = await tasks.promote(nowMs);
        expect({ queues: promoted.filter(({ queue }) => queues.includes(queue)).toSorted((a, b) => (a.queue < b.queue ? -1 : 1)), ...next }).toEqual(
          model.promote(nowMs),
        );
      },
    ],
    [
      3,
      async () => {
        const event = pick(["cancel", "expire", "revive"] as const);
        const which = event === "expire" ? { ...filter(), expiredByMs: nowMs } : filter();
        const changed = await tasks.change(event, which, nowMs);
        expect([event, which, changed.toSorted((a, b) => (a.id < b.id ? -1 : 1))]).toEqual([event, which, model.change(event, which, nowMs)]);
      },
    ],
    [
      3,
      async () => {
        const queue = pick(queues);
        const page = await tasks.ready(queue, null, 5);
        const after = page.at(below(5)) ?? null;
        for (const [position, limit, actual] of [
          [null, 5, page],
          [after, 3, await tasks.ready(queue, after, 3)],
        ] as const) {
          const seen = actual.map(({ rank, id, attempt, failures, expiresAtMs }) => ({ rank, id, attempt, failures, expiresAtMs }));
          expect(seen).toEqual(model.ready(queue, position, limit));
        }
      },
    ],
    [
      2,
      async () => {
        const which = filter();
        const limit = 1 + below(5);
        const found: TaskRecord[] = [];
        let cursor: string | null = null;
        do {
          const page: Awaited<ReturnType<TaskStore["list"]>> = await tasks.list(which, { limit, cursor });
          found.push(...page.tasks);
          cursor = page.cursor;
        } while (cursor !== null);
        expect([which, ofOurs(found)]).toEqual([which, model.list(which)]);
      },
    ],
    [
      2,
      async () => {
        const id = someId();
        expect(await tasks.get(id)).toEqual(model.get(id));
        for (const queue of queues) expect(await tasks.counts(queue)).toEqual(model.counts(queue));
      },
    ],
    [
      3,
      async () => {
        const { callbacks: due, nextDueAtMs } = await storage.callbacks.due(nowMs, 1_000);
        const expected = model.due(nowMs);
        expect(inOrder(due.map(({ taskId, attempt, createdAtMs }) => ({ taskId, attempt, createdAtMs })))).toEqual(inOrder(expected.due));
        expect(nextDueAtMs).toBe(expected.nextDueAtMs);
        const id = due.length > 0 && chance(0.8) ? pick(due).taskId : someId();
        const listed = await expectCallbacks(id);
        if (listed.length === 0) return;
        const at = below(listed.length);
        const [one, modelled] = [listed[at]!, model.callbacks(id)[at]!];
        if (chance(0.3)) {
          expect((await storage.callbacks.revive(one.id, nowMs)) !== undefined).toBe(model.reviveCallback(modelled, nowMs));
        } else {
          const attempt = one.attempts + (chance(0.9) ? 1 : 0);
          const outcome = pick([
            { kind: "delivered", atMs: nowMs },
            { kind: "again", dueAtMs: nowMs + below(2_000), error: "503" },
            { kind: "failed", atMs: nowMs, error: "410" },
          ] as const);
          expect(await storage.callbacks.settle(one.id, attempt, outcome)).toBe(model.settleCallback(modelled, attempt, outcome));
        }
        await expectCallbacks(id);
      },
    ],
    [
      1,
      async () => {
        while (await tasks.prune(nowMs, 2));
        model.prune(nowMs);
      },
    ],
    [
      1,
      async () => {
        if (!chance(0.1)) return;
        await storage.flush();
        tasks = await reopen();
        const kept = new Set(["ct_1", "ct_2", "ct_3", "ct_4"].filter(() => chance(0.5)));
        const recovered = await tasks.recover(nowMs, kept);
        const running = recovered.running.map(({ task: { rank, id, input, attempt, failures, expiresAtMs }, ...run }) => {
          return { ...run, task: { rank, id, input, attempt, failures, expiresAtMs } };
        });
        expect({ queues: recovered.queues.filter((queue) => queues.includes(queue)), running }).toEqual(model.recover(nowMs, kept));
      },
    ],
  ];

  const weighted = steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step));
  for (let i = 0; i < STEPS; i++) await pick(weighted)();
  for (const id of ids) expect(await tasks.get(id)).toEqual(model.get(id));
  for (const id of ids) await expectCallbacks(id);
  // The next sequence begins with nothing that waits for its time, or runs, or is to be told.
  await tasks.change("cancel", { queue: queues[0]! }, nowMs);
  await tasks.change("cancel", { queue: queues[1]! }, nowMs);
  const { callbacks } = await storage.callbacks.due(Number.MAX_SAFE_INTEGER, 10_000);
  await Promise.all(callbacks.map(({ id, attempt }) => storage.callbacks.settle(id, attempt, { kind: "delivered", atMs: nowMs })));
}

test(`${SEQUENCES} random sequences are answered as the model answers them`, { timeout: 240_000 }, async () => {
  const first = Number(process.env["SAMOVAR_TEST_SEED"] ?? Math.floor(Math.random() * 1e9));
  const reopen = async (): Promise<TaskStore> => {
    await storage.close();
    storage = await open();
    return storage.tasks;
  };
  for (let seed = first; seed < first + SEQUENCES; seed++) {
    try {
      await compare(storage.tasks, seed, reopen);
    } catch (error) {
      throw new Error(`Sequence ${seed} differs; again with SAMOVAR_TEST_SEED=${seed}`, { cause: error });
    }
  }
  expect(storage.commits).toBeGreaterThan(0);
});
