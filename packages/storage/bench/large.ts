/**
 * What a large result does: how long its settlement and its reading take, how far the log grows, and how long others that
 * insert meanwhile wait, and the event loop with them.
 *
 *   npx node --conditions=samovar-source packages/storage/bench/large.ts
 */
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { silentLogger, systemClock } from "@samovar/kit";
import { createIdSource } from "@samovar/protocol";
import { openSqliteStorage, type NewTask } from "@samovar/storage";

const { values } = parseArgs({ options: { folder: { type: "string", default: tmpdir() }, rounds: { type: "string", default: "5" } } });
const ROUNDS = Number(values.rounds);
const MIB = 1024 * 1024;
const newId = createIdSource();

function newTask(input: Uint8Array): NewTask {
  const createdAtMs = Date.now();
  const plain = { functionName: "f", app: "a", method: null, parameters: "[]", encoding: "raw", reply: "value", priority: 0, expiresAtMs: null } as const;
  const keys = { concurrencyKey: null, idempotencyKey: null, idempotencyMs: 0, keepMs: 86_400_000, callbackUrl: null, tick: null };
  return { id: newId("task"), queue: "f", input, createdAtMs, dueAtMs: createdAtMs, ...plain, ...keys };
}

const folder = await mkdtemp(path.join(values.folder, "samovar-large-"));
const file = path.join(folder, "samovar.db");
const storage = await openSqliteStorage({ file, logger: silentLogger, clock: systemClock });
const { tasks } = storage;

/** Four callers insert without end; of the time in which `work` goes on, how long each waited. */
async function beside(work: () => Promise<unknown>) {
  let isOver = false;
  const waits: number[] = [];
  const callers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const before = performance.now();
      await tasks.insert([newTask(new Uint8Array(100))]);
      waits.push(performance.now() - before);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const before = performance.now();
  await work();
  const tookMs = performance.now() - before;
  loop.disable();
  isOver = true;
  await Promise.all(callers);
  return { tookMs, worstMs: Math.max(...waits), loopMs: loop.max / 1e6 };
}

const median = (sample: readonly number[]): string => `${sample.toSorted((a, b) => a - b)[Math.floor(sample.length / 2)]!.toFixed(0)} ms`;

for (const mib of [0, 1, 4, 16, 64]) {
  const bytes = new Uint8Array(mib * MIB).fill(7);
  for (const what of ["insert", "ready", "settle", "get"]) {
    const seen = [];
    for (let round = 0; round < ROUNDS; round++) {
      const large = { ...newTask(what === "insert" || what === "ready" ? bytes : new Uint8Array()), queue: "large" };
      const start = { id: large.id, attempt: 1, version: 1, containerId: "ct", startedAtMs: Date.now() };
      const settle = (result: Uint8Array) =>
        tasks.settle({ ...start, event: "succeed", endedAtMs: Date.now(), result: { encoding: "raw", bytes: result }, error: null, dueAtMs: null });
      if (what !== "insert") await tasks.insert([large]);
      if (what === "get" || what === "settle") tasks.started(start);
      if (what === "get") await settle(bytes);
      const work = {
        insert: () => tasks.insert([large]),
        ready: () => tasks.ready("large", null, 1),
        settle: () => settle(bytes),
        get: () => tasks.get(large.id),
      };
      seen.push(await beside(work[what as keyof typeof work]));
      if (what === "insert" || what === "ready") await tasks.change("cancel", { ids: [large.id] }, Date.now());
    }
    const log = (await stat(`${file}-wal`)).size / MIB;
    const columns = [seen.map((each) => each.tookMs), seen.map((each) => each.worstMs), seen.map((each) => each.loopMs)].map(median);
    console.log(
      `${String(mib).padStart(3)} MiB ${what.padEnd(7)} took ${columns[0]}, others waited ${columns[1]}, the event loop ${columns[2]}; log ${log.toFixed(0)} MiB`,
    );
  }
}
await storage.close();
await rm(folder, { recursive: true });
