/**
 * How fast tasks go through the store: insert, ready, started, settle, with so many in flight, on an empty queue, with a
 * million waiting, and with a million under one concurrency key. Beside it, as what could be had at best, a plain loop
 * over two tables in a thread: an insert and an update of each task, grouped the same way.
 *
 *   npx node --conditions=samovar-source packages/storage/bench/tasks.ts [--waiting 1000000] [--tasks 20000] [--ids random]
 */
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { silentLogger, systemClock } from "@samovar/kit";
import { createIdSource } from "@samovar/protocol";
import { openSqliteStorage, type NewTask, type TaskStore } from "@samovar/storage";
import { openPlainLoop } from "./plain-loop.ts";

const { values } = parseArgs({
  options: {
    waiting: { type: "string", default: "1000000" },
    tasks: { type: "string", default: "20000" },
    ids: { type: "string", default: "as they are" },
  },
});
const WAITING = Number(values.waiting);
const TASKS = Number(values.tasks);
const TURNS = 7;
const INPUT = new TextEncoder().encode(JSON.stringify({ url: "https://example.com/picture.png", width: 640, height: 480 }));
const RESULT = { encoding: "json", bytes: INPUT };
const makeId = createIdSource();

/** Ids without any order: each goes to another page of their index. */
function newId(): string {
  const id = makeId("task");
  return values.ids === "random" ? `tk_${createHash("sha1").update(id).digest("hex").slice(0, 20)}` : id;
}

function newTask(queue: string, concurrencyKey: string | null): NewTask {
  const createdAtMs = Date.now();
  return {
    id: newId(),
    queue,
    functionName: queue,
    app: "images",
    method: null,
    parameters: "[]",
    encoding: "json",
    reply: "value",
    input: INPUT,
    createdAtMs,
    dueAtMs: createdAtMs,
    priority: 0,
    expiresAtMs: null,
    concurrencyKey,
    idempotencyKey: null,
    idempotencyMs: 86_400_000,
    keepMs: 86_400_000,
    callbackUrl: null,
    tick: null,
  };
}

interface Measured {
  readonly perSecond: number;
  /** Of all threads: what a machine that others use too says more reliably than the time. */
  readonly cpuUsPerTask: number;
  readonly insertMs: readonly number[];
  readonly settleMs: readonly number[];
}

/** Every insert is followed by the start and the end of whatever is first in the queue: as many wait after as before. */
async function pipeline(store: TaskStore, queue: string, inFlight: number, key: (i: number) => string | null): Promise<Measured> {
  const insertMs: number[] = [];
  const settleMs: number[] = [];
  let page: { readonly id: string; readonly attempt: number }[] = [];
  let position: { readonly rank: number; readonly id: string } | null = null;
  let filling: Promise<void> | undefined;
  const next = async (): Promise<{ readonly id: string; readonly attempt: number }> => {
    for (;;) {
      const task = page.shift();
      if (task) return task;
      filling ??= store.ready(queue, position, 1_000).then((ready) => {
        page = ready.map(({ id, attempt }) => ({ id, attempt }));
        position = ready.at(-1) ?? null;
        filling = undefined;
      });
      await filling;
    }
  };
  let begun = 0;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const caller = async (): Promise<void> => {
    while (begun < TASKS) {
      const i = begun++;
      const before = performance.now();
      await store.insert([newTask(queue, key(i))]);
      insertMs.push(performance.now() - before);
      const { id, attempt } = await next();
      const start = { id, attempt: attempt + 1, version: 1, containerId: "ct_0123456789abcdefghjk", startedAtMs: Date.now() };
      store.started(start);
      const ended = performance.now();
      const settled = await store.settle({ ...start, event: "succeed", endedAtMs: Date.now(), result: RESULT, error: null, dueAtMs: null });
      settleMs.push(performance.now() - ended);
      if (!settled.applied) throw new Error(`Task ${id} was not settled`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return { perSecond: (TASKS / (performance.now() - startedAt)) * 1000, cpuUsPerTask: toCpuUs(cpu) / TASKS, insertMs, settleMs };
}

/** One key: only its first is ready, so one after another is done. */
async function oneAfterAnother(store: TaskStore, queue: string, tasks: number): Promise<Measured> {
  const settleMs: number[] = [];
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let i = 0; i < tasks; i++) {
    const [task] = await store.ready(queue, null, 1);
    const start = { id: task!.id, attempt: task!.attempt + 1, version: 1, containerId: "ct_0123456789abcdefghjk", startedAtMs: Date.now() };
    store.started(start);
    const before = performance.now();
    const settled = await store.settle({ ...start, event: "succeed", endedAtMs: Date.now(), result: RESULT, error: null, dueAtMs: null });
    settleMs.push(performance.now() - before);
    if (!settled.next) throw new Error("The next one of the key is not ready");
  }
  return { perSecond: (tasks / (performance.now() - startedAt)) * 1000, cpuUsPerTask: toCpuUs(cpu) / tasks, insertMs: [], settleMs };
}

async function fill(store: TaskStore, queue: string, key: string | null): Promise<number> {
  const startedAt = performance.now();
  for (let filled = 0; filled < WAITING; filled += 1_000) {
    await store.insert(Array.from({ length: Math.min(1_000, WAITING - filled) }, () => newTask(queue, key)));
  }
  return (WAITING / (performance.now() - startedAt)) * 1000;
}

/** The turn in the middle by what it did in a second; processor time is that of all. */
function toMedian(turns: readonly Measured[]): Measured {
  const middle = turns.toSorted((a, b) => a.perSecond - b.perSecond)[Math.floor(turns.length / 2)]!;
  const cpuUsPerTask = turns.reduce((sum, turn) => sum + turn.cpuUsPerTask, 0) / turns.length;
  return { perSecond: middle.perSecond, cpuUsPerTask, insertMs: turns.flatMap((turn) => turn.insertMs), settleMs: turns.flatMap((turn) => turn.settleMs) };
}

function toCpuUs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

function quantile(sample: readonly number[], q: number): string {
  if (sample.length === 0) return "-";
  const sorted = sample.toSorted((a, b) => a - b);
  return `${sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!.toFixed(2)} ms`;
}

function print(name: string, { perSecond, cpuUsPerTask, insertMs, settleMs }: Measured): void {
  const figures = [
    `${Math.round(perSecond)}/s`,
    `${cpuUsPerTask.toFixed(1)} us`,
    ...[insertMs, settleMs].flatMap((sample) => [quantile(sample, 0.5), quantile(sample, 0.99)]),
  ];
  console.log([name.padEnd(44), ...figures.map((figure) => figure.padStart(10))].join(" "));
}

const folder = await mkdtemp(path.join(tmpdir(), "samovar-bench-"));
const open = (name: string) => openSqliteStorage({ file: path.join(folder, name), logger: silentLogger, clock: systemClock });
try {
  console.log([" ".repeat(44), ..."tasks,cpu a task,insert p50,p99,settle p50,p99".split(",").map((head) => head.padStart(10))].join(" "));
  for (const inFlight of [64, 512]) {
    const plain = await openPlainLoop(path.join(folder, `plain-${inFlight}.db`));
    print(`a plain loop, ${inFlight} in flight`, await plain.run(TASKS, inFlight, INPUT));
    await plain.close();
  }
  const storage = await open("tasks.db");
  const { tasks } = storage;
  await pipeline(tasks, "warm-up", 64, () => null);
  for (const inFlight of [64, 512]) print(`empty, ${inFlight} in flight`, await pipeline(tasks, `empty-${inFlight}`, inFlight, () => null));
  print("empty, 64 in flight, a key of its own each", await pipeline(tasks, "empty-keys", 64, (i) => `key-${i}`));
  if (WAITING > 0) {
    console.log(`${WAITING} inserted, 1,000 at a time: ${Math.round(await fill(tasks, "full", null))}/s`);
    const other = await open("other.db");
    // In turns, so that whatever else the machine does meanwhile disturbs both.
    for (const inFlight of [64, 512]) {
      const empty: Measured[] = [];
      const full: Measured[] = [];
      for (let turn = 0; turn < TURNS; turn++) {
        empty.push(await pipeline(other.tasks, "empty", inFlight, () => null));
        full.push(await pipeline(tasks, "full", inFlight, () => null));
      }
      print(`in ${TURNS} turns: empty, ${inFlight} in flight`, toMedian(empty));
      print(`in ${TURNS} turns: ${WAITING} waiting, ${inFlight} in flight`, toMedian(full));
    }
    await other.close();
    await storage.close();
    const keyed = await open("keyed.db");
    print("one key, 1 in flight, few", await (await fillFew(keyed.tasks), oneAfterAnother(keyed.tasks, "few", 1_000)));
    console.log(`${WAITING} inserted under one key, 1,000 at a time: ${Math.round(await fill(keyed.tasks, "one-key", "key"))}/s`);
    print(`one key, 1 in flight, ${WAITING} waiting`, await oneAfterAnother(keyed.tasks, "one-key", 1_000));
    print(`${WAITING} wait for one key, 64 in flight beside`, await pipeline(keyed.tasks, "beside", 64, () => null));
    await keyed.close();
  } else await storage.close();
} finally {
  await rm(folder, { recursive: true });
}

async function fillFew(store: TaskStore): Promise<void> {
  await store.insert(Array.from({ length: 1_001 }, () => newTask("few", "key")));
}
