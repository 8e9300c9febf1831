import { afterEach, expect, test } from "vitest";
import { seeded } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { TaskStore } from "@samovar/storage";
import { createQueues, type QueuesUnderTest, type Version } from "./task-queues.fixture.ts";
import type { TaskEvent } from "./task-changes.ts";

let at: QueuesUnderTest;
afterEach(() => at.dispose());

const status = async (id: string): Promise<string | undefined> => (await at.storage.tasks.get(id))?.status;

async function finishAll(version: Version): Promise<void> {
  for (let idle = 0; idle < 2;) {
    await at.settle();
    if (version.running.length === 0) idle++;
    else idle = 0;
    while (version.running.length > 0) version.running[0]!.succeed();
  }
}

test("a task begins in the turn in which it is put, and who put it waits for the disk", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  let isOnDisk = false;
  const put = at.queues.put([at.task("tk_1")]).then((answer) => ((isOnDisk = true), answer));
  expect(version.running.map(({ id }) => id)).toEqual(["tk_1"]);
  expect(isOnDisk).toBe(false);
  expect(await put).toMatchObject([{ id: "tk_1", inserted: true }]);
  version.running[0]!.succeed("42");
  await at.settle();
  expect(await at.storage.tasks.get("tk_1")).toMatchObject({ status: "COMPLETE", attempts: [{ number: 1, version: 1, outcome: "complete" }] });
});

test("a put that can't be written rejects, and what had begun of it is asked to stop and leaves no trace", async () => {
  const full = new SamovarError("storage_failed", "The disk is full");
  at = await createQueues((store): TaskStore => ({ ...store, insert: () => Promise.reject(full) }));
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  await expect(at.queues.put([at.task("tk_1")])).rejects.toBe(full);
  expect(version.begun[0]!.isCancelled).toBe(true);
  version.running[0]!.succeed();
  await at.settle();
  expect(await status("tk_1")).toBeUndefined();
  expect(at.queues.pending("work")).toBe(0);
});

test("a head start goes before others, and everybody has a turn", async () => {
  at = await createQueues();
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3", { priority: 10 }), at.task("tk_4", { priority: -10 })]);
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_3", "tk_1", "tk_2", "tk_4"]);
});

test("a backlog larger than what memory holds is run once each and in order, also while more come", async () => {
  at = await createQueues();
  const id = (n: number): string => `tk_${String(n).padStart(5, "0")}`;
  for (let from = 0; from < 6_000; from += 500) await at.queues.put(Array.from({ length: 500 }, (_, i) => at.task(id(from + i))));
  const version = at.version(1, { slots: 8 });
  at.queues.serve("work", version.runtime);
  await at.settle();
  const more = at.queues.put(Array.from({ length: 500 }, (_, i) => at.task(id(6_000 + i))));
  await finishAll(version);
  await more;
  await finishAll(version);
  expect(version.begun.map((one) => one.id)).toEqual(Array.from({ length: 6_500 }, (_, n) => id(n)));
  expect(at.queues.pending("work")).toBe(0);
});

test("what has no room in memory while it is written is run all the same, also where a read came before the commit", async () => {
  let beforeCommit = true;
  at = await createQueues((store) => ({
    ...store,
    ready: (...args) => (beforeCommit ? ((beforeCommit = false), Promise.resolve([])) : store.ready(...args)),
  }));
  const version = at.version(1, { slots: 2_000 });
  at.queues.serve("work", version.runtime);
  const ids = Array.from({ length: 4_200 }, (_, n) => `tk_${String(n).padStart(5, "0")}`);
  await at.queues.put(ids.map((id) => at.task(id)));
  await finishAll(version);
  expect(beforeCommit).toBe(false);
  expect(version.begun.map(({ id }) => id).toSorted()).toEqual(ids);
  expect(at.queues.pending("work")).toBe(0);
});

test("an input so large that the store puts it elsewhere begins when it is there, and its end is kept", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 2 });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1", { input: Buffer.alloc(2 * 1024 * 1024) }), at.task("tk_2")]);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1", "tk_2"]);
  expect([await status("tk_1"), await status("tk_2")]).toEqual(["COMPLETE", "COMPLETE"]);
});

test("what is not due waits for its time, and a restart doesn't forget it", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1", { dueAtMs: at.clock.now() + 60_000 })]);
  await at.settle();
  expect(version.begun).toEqual([]);
  const { queues } = await at.restart();
  queues.serve("work", version.runtime);
  await at.settle();
  at.clock.advance(59_000);
  await at.settle();
  expect(version.begun).toEqual([]);
  at.clock.advance(1_000);
  await at.settle();
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1"]);
});

test("a failed attempt is followed by others after their delays; what is ours is not counted", async () => {
  at = await createQueues();
  const version = at.version(1, { retries: { maxRetries: 2, initialDelayMs: 1_000, backoff: 2 } });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1")]);
  version.running[0]!.fail("first");
  await at.settle();
  expect(await status("tk_1")).toBe("RETRY");
  at.clock.advance(1_000);
  await at.settle();
  version.running[0]!.fail("a drain", { code: "drained" });
  await at.settle();
  expect(version.running).toMatchObject([{ attempt: 3 }]);
  version.running[0]!.fail("second");
  await at.settle();
  at.clock.advance(1_999);
  await at.settle();
  expect(version.running).toEqual([]);
  at.clock.advance(1);
  await at.settle();
  version.running[0]!.fail("third");
  await at.settle();
  const record = await at.storage.tasks.get("tk_1");
  expect(record).toMatchObject({ status: "ERROR", error: { message: "third" } });
  expect(record!.attempts.map(({ outcome }) => outcome)).toEqual(["error", "given-back", "error", "error"]);
});

test("an error that the policy doesn't retry ends the task at once; one that takes too long is a timeout", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 2, retries: { maxRetries: 5 } });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2")]);
  const [first, second] = [...version.running];
  first!.fail("of no use", { retryable: false });
  second!.fail("slow", { code: "timeout", retryable: false });
  await at.settle();
  expect(await status("tk_1")).toBe("ERROR");
  expect(await status("tk_2")).toBe("TIMEOUT");
});

test("tasks of one concurrency key run one after another in their order, beside others", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 4 });
  at.queues.serve("work", version.runtime);
  const key = { concurrencyKey: "k" };
  await at.queues.put([at.task("tk_1", key), at.task("tk_2", key), at.task("tk_3"), at.task("tk_4", key)]);
  await at.settle();
  expect(version.running.map(({ id }) => id).sort()).toEqual(["tk_1", "tk_3"]);
  version.running.find(({ id }) => id === "tk_1")!.succeed();
  await at.settle();
  expect(version.running.map(({ id }) => id).sort()).toEqual(["tk_2", "tk_3"]);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id).filter((id) => id !== "tk_3")).toEqual(["tk_1", "tk_2", "tk_4"]);
});

test("a task is cancelled where it is: waiting, running (whose late result is dropped), waiting for a retry", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 2, retries: { maxRetries: 1 } });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3")]);
  const [first, second] = [...version.running];
  second!.fail("once");
  await at.settle();
  expect(version.running.map(({ id }) => id)).toEqual(["tk_1", "tk_3"]);
  await at.queues.put([at.task("tk_4")]);
  const changed = await at.queues.change("cancel", { ids: ["tk_1", "tk_2", "tk_4", "tk_9"] });
  expect(changed.map(({ id }) => id).sort()).toEqual(["tk_1", "tk_2", "tk_4"]);
  expect(first!.isCancelled).toBe(true);
  first!.succeed();
  at.clock.advance(600_000);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1", "tk_2", "tk_3"]);
  expect(await Promise.all(["tk_1", "tk_2", "tk_3", "tk_4"].map(status))).toEqual(["CANCELLED", "CANCELLED", "COMPLETE", "CANCELLED"]);
  expect(at.queues.pending("work")).toBe(0);
});

test("a task whose end is being decided doesn't begin meanwhile; where that can't be decided it goes on", async () => {
  let fails = true;
  at = await createQueues((store) => ({
    ...store,
    change: (...args) => (fails ? Promise.reject(new SamovarError("storage_failed", "full")) : store.change(...args)),
  }));
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3")]);
  await expect(at.queues.change("cancel", { ids: ["tk_2"] })).rejects.toThrow("full");
  fails = false;
  const cancelled = at.queues.change("cancel", { ids: ["tk_3"] });
  version.running[0]!.succeed();
  await cancelled;
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1", "tk_2"]);
  expect(await status("tk_3")).toBe("CANCELLED");
  expect(at.queues.pending("work")).toBe(0);
});

test("what was cancelled or failed runs again from the beginning when it is revived", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1")]);
  version.running[0]!.fail("no");
  await at.settle();
  await at.queues.change("revive", { ids: ["tk_1"] });
  await finishAll(version);
  expect(version.begun.map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(await status("tk_1")).toBe("COMPLETE");
});

test("one that expired before an attempt began is not run; one that began is", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  const soon = at.clock.now() + 5_000;
  await at.queues.put([at.task("tk_1", { expiresAtMs: soon }), at.task("tk_2", { expiresAtMs: soon })]);
  at.clock.advance(5_000);
  await finishAll(version);
  expect(await Promise.all(["tk_1", "tk_2"].map(status))).toEqual(["COMPLETE", "EXPIRED"]);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1"]);
});

test("after a crash what ran waits again, and what is over stays over", async () => {
  at = await createQueues();
  const before = at.version(1, { slots: 2 });
  at.queues.serve("work", before.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3")]);
  before.running[0]!.succeed();
  await at.settle();
  const { queues } = await at.restart();
  const after = at.version(2, { slots: 4 });
  queues.serve("work", after.runtime);
  await at.settle();
  expect(after.running.map(({ id, attempt }) => [id, attempt])).toEqual([
    ["tk_2", 2],
    ["tk_3", 2],
  ]);
  // Of the server that is gone: fenced.
  before.running[0]!.succeed();
  await at.settle();
  expect(await status("tk_2")).toBe("RUNNING");
});

test("the next version takes what waits; while nobody serves the queue it waits", async () => {
  at = await createQueues();
  const [one, two] = [at.version(1), at.version(2)];
  at.queues.serve("work", one.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3")]);
  at.queues.serve("work", two.runtime);
  one.close();
  one.running[0]!.succeed();
  await at.settle();
  expect(two.running.map(({ id }) => id)).toEqual(["tk_2"]);
  at.queues.rest("work");
  two.running[0]!.succeed();
  await at.settle();
  expect(await status("tk_3")).toBe("PENDING");
  expect(at.queues.pending("work")).toBe(1);
  const three = at.version(3);
  at.queues.serve("work", three.runtime);
  await finishAll(three);
  expect(await at.storage.tasks.get("tk_3")).toMatchObject({ status: "COMPLETE", attempts: [{ version: 3 }] });
});

test("a task that runs while its function is stopped is told when it is over, and keeps its retries", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 2, retries: { maxRetries: 1 } });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2")]);
  const told: string[] = [];
  for (const id of ["tk_1", "tk_2"]) at.queues.changes.watch({ id }, (event: TaskEvent) => void told.push(`${event.function} ${event.id} ${event.status}`));
  at.queues.rest("work");
  const [first, second] = [...version.running];
  first!.succeed();
  second!.fail("once");
  await at.settle();
  expect(told).toEqual(["work tk_1 COMPLETE", "work tk_2 RETRY"]);
});

test("an end that can't be written is written later, and told only then", async () => {
  let failures = 2;
  at = await createQueues((store) => ({
    ...store,
    settle: (settlement) => (failures-- > 0 ? Promise.reject(new SamovarError("storage_failed", "full")) : store.settle(settlement)),
  }));
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  const told: string[] = [];
  at.queues.changes.watch({ id: "tk_1" }, (event: TaskEvent) => void told.push(event.status));
  await at.queues.put([at.task("tk_1")]);
  version.running[0]!.succeed();
  await at.settle();
  expect(told).toEqual(["RUNNING"]);
  at.clock.advance(250);
  await at.settle();
  at.clock.advance(500);
  await at.settle();
  expect(told.at(-1)).toBe("COMPLETE");
  expect(version.begun).toHaveLength(1);
});

test("the end of a task is written at once where somebody listens or the next of its key waits, else with what comes next", async () => {
  const awaited = new Map<string, boolean | undefined>();
  at = await createQueues((store) => ({ ...store, settle: (end, options) => (awaited.set(end.id, options?.awaited), store.settle(end, options)) }));
  const version = at.version(1, { slots: 3 });
  at.queues.serve("work", version.runtime);
  const unwatch = at.queues.changes.watch({ id: "tk_2" }, () => {});
  await at.queues.put([at.task("tk_1"), at.task("tk_2"), at.task("tk_3", { concurrencyKey: "a" })]);
  await finishAll(version);
  unwatch();
  expect(Object.fromEntries(awaited)).toEqual({ tk_1: false, tk_2: true, tk_3: true });
});

test("the same idempotency key is one task, also when both are put at once", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 4 });
  at.queues.serve("work", version.runtime);
  const input = Buffer.from("same");
  const [one, two] = await Promise.all(["tk_1", "tk_2"].map((id) => at.queues.put([at.task(id, { idempotencyKey: "k", input })])));
  expect([one![0], two![0]]).toMatchObject([
    { id: "tk_1", inserted: true },
    { id: "tk_1", inserted: false },
  ]);
  await finishAll(version);
  expect(version.begun).toHaveLength(1);
  expect(at.queues.pending("work")).toBe(0);
});

test("where one of a put has a conflict, those beside it don't begin, and begin once when they are put again", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 4 });
  at.queues.serve("work", version.runtime);
  await at.queues.put([at.task("tk_1", { idempotencyKey: "k" })]);
  await finishAll(version);
  const inserted = await at.queues.put([at.task("tk_2"), at.task("tk_3", { idempotencyKey: "k", input: Buffer.from("another") })]);
  expect(inserted.map((one) => one.inserted)).toEqual([false, false]);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1"]);
  await at.queues.put([at.task("tk_4")]);
  await finishAll(version);
  expect(version.begun.map(({ id }) => id)).toEqual(["tk_1", "tk_4"]);
  expect(at.queues.pending("work")).toBe(0);
});

test.for([1, 2, 3, 4])("whatever comes in whatever order, each task is done once (seed %i)", async (seed) => {
  at = await createQueues();
  const random = seeded(seed);
  const pick = (n: number): number => Math.floor(random() * n);
  let version = at.version(1, { slots: 1 + pick(16), retries: { maxRetries: 100, initialDelayMs: 500 } });
  at.queues.serve("work", version.runtime);
  const ids: string[] = [];
  const puts: Promise<unknown>[] = [];
  const completed: string[] = [];
  for (let step = 0; step < 150; step++) {
    const tasks = Array.from({ length: pick(40) }, () => {
      const id = `tk_${String(ids.length).padStart(6, "0")}`;
      ids.push(id);
      return at.task(id, {
        priority: pick(3) === 0 ? pick(100) - 50 : 0,
        dueAtMs: at.clock.now() + (pick(4) === 0 ? pick(5_000) : 0),
        concurrencyKey: pick(5) === 0 ? `k${pick(3)}` : null,
      });
    });
    if (tasks.length > 0) puts.push(at.queues.put(tasks));
    for (let n = pick(30); n > 0 && version.running.length > 0; n--) {
      const attempt = version.running[pick(version.running.length)]!;
      const outcome = pick(6);
      if (outcome === 0) attempt.fail("again");
      else if (outcome === 1) attempt.fail("ours", { code: "drained" });
      else {
        completed.push(attempt.id);
        attempt.succeed();
      }
    }
    if (pick(3) === 0) await at.settle();
    if (pick(4) === 0) at.clock.advance(pick(2_000));
    if (pick(30) === 0) {
      const old = version;
      version = at.version(2 + step, { slots: 1 + pick(16), retries: { maxRetries: 100, initialDelayMs: 500 } });
      at.queues.serve("work", version.runtime);
      for (const attempt of [...old.running]) attempt.fail("its version goes", { code: "drained" });
    }
  }
  await Promise.all(puts);
  for (let round = 0; round < 400 && at.queues.pending("work") + version.running.length > 0; round++) {
    await at.settle();
    while (version.running.length > 0) {
      const attempt = version.running[0]!;
      completed.push(attempt.id);
      attempt.succeed();
    }
    at.clock.advance(5_000);
  }
  await at.settle();
  expect(completed.toSorted()).toEqual(ids);
  expect(at.queues.pending("work")).toBe(0);
  expect(await at.storage.tasks.counts("work")).toEqual({});
});
