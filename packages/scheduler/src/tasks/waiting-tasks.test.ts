import { afterEach, describe, expect, test } from "vitest";
import { SamovarError } from "@samovar/protocol";
import { createQueues, type QueuesUnderTest, type Version } from "./task-queues.fixture.ts";

let at: QueuesUnderTest;
afterEach(() => at.dispose());

/** Alarms that are due ring, and what they lead to has happened. */
async function ring(): Promise<void> {
  await at.settle();
  at.clock.advance(0);
  await at.settle();
}

const status = async (id: string): Promise<string | undefined> => (await at.storage.tasks.get(id))?.status;
const ids = (version: Version): readonly string[] => version.begun.map(({ id }) => id);

test("what no pool takes says why while it waits, and no longer when one does or another version serves it", async () => {
  at = await createQueues();
  const [full, other] = [at.version(1), at.version(2)];
  full.refuse(new SamovarError("no_capacity", "All sets are in use"));
  at.queues.serve("work", full.runtime);
  await at.queues.put([at.task("tk_1"), at.task("tk_2")]);
  const queue = at.queues.find("work")!;
  expect(queue.waitReason).toBe("All sets are in use");
  full.refuse(null);
  queue.wake();
  expect([queue.waitReason, ids(full)]).toEqual([null, ["tk_1"]]);
  other.refuse(new SamovarError("invalid_request", "It takes no arguments"));
  at.queues.serve("work", other.runtime);
  expect(queue.waitReason).toBe("It takes no arguments");
  at.queues.rest("work");
  expect(queue.waitReason).toBeNull();
});

test("what waits for whichever version of a function is counted together, by constructor arguments or for all", async () => {
  at = await createQueues();
  const names = ["work", "work@1", 'work["a"]', 'work@1["a"]', 'work@2["a"]', 'work["b"]', "ss_1/work", "work2"];
  for (const [i, queue] of names.entries()) await at.queues.put([at.task(`tk_${i}`, { queue })]);
  const { queues } = at;
  expect([queues.pendingOfAll("work", "[]"), queues.pendingOfAll("work", '["a"]'), queues.pendingOfAll("work", null)]).toEqual([2, 3, 6]);
  expect([queues.pendingOfAll("ss_1/work", null), queues.pendingOfAll("nobody", null)]).toEqual([1, 0]);
});

test("a put that is still writing its large input when its queue is abandoned is cancelled with the others", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  const put = at.queues.put([at.task("tk_1", { input: Buffer.alloc(1_100_000, 1) })]);
  await at.queues.abandon("work");
  await put;
  await at.settle();
  expect((await at.storage.tasks.get("tk_1"))?.status).toBe("CANCELLED");
  expect([at.queues.find("work"), version.begun]).toEqual([undefined, []]);
});

test("what is put while its queue is being abandoned, and served again, stays in it", async () => {
  at = await createQueues();
  const ofB = { queue: 'work["b"]', parameters: '["b"]' };
  await Promise.all([at.queues.put([at.task("tk_1")]), at.queues.put([at.task("tk_3", ofB)])]);
  const abandoned = at.queues.abandon("work");
  const version = at.version(1, { slots: 0 });
  at.queues.serve("work", version.runtime);
  await Promise.all([at.queues.put([at.task("tk_2")]), at.queues.put([at.task("tk_4", ofB)])]);
  await abandoned;
  expect([at.queues.pending("work"), at.queues.find("work")?.holds("tk_2")]).toEqual([2, true]);
  expect(await Promise.all(["tk_1", "tk_2", "tk_3", "tk_4"].map(status))).toEqual(["CANCELLED", "PENDING", "CANCELLED", "PENDING"]);
});

describe("a delayed task behind another of its concurrency key", () => {
  /** `tk_1` first, `tk_2` behind it and not due for a minute. */
  const putBoth = () => at.queues.put([at.task("tk_1", { concurrencyKey: "k" }), at.task("tk_2", { concurrencyKey: "k", dueAtMs: at.clock.now() + 60_000 })]);
  const expectItBeginsInTime = async (version: Version, begun: readonly string[]): Promise<void> => {
    await at.settle();
    at.clock.advance(59_000);
    await at.settle();
    expect(ids(version)).toEqual(begun);
    at.clock.advance(1_000);
    await at.settle();
    expect(ids(version)).toEqual([...begun, "tk_2"]);
  };

  test("begins in time, also where that one was tried again in between", async () => {
    at = await createQueues();
    const version = at.version(1, { retries: { maxRetries: 3, initialDelayMs: 0 } });
    at.queues.serve("work", version.runtime);
    await putBoth();
    version.running[0]!.fail("again");
    await ring();
    version.running[0]!.succeed();
    await expectItBeginsInTime(version, ["tk_1", "tk_1"]);
  });

  test("begins in time after a restart before that one's end", async () => {
    at = await createQueues();
    await putBoth();
    const { queues } = await at.restart();
    const version = at.version(1);
    queues.serve("work", version.runtime);
    await ring();
    version.running[0]!.succeed();
    await expectItBeginsInTime(version, ["tk_1"]);
  });

  test("begins in time when that one is cancelled", async () => {
    at = await createQueues();
    await putBoth();
    const { queues } = await at.restart();
    await ring();
    await queues.change("cancel", { ids: ["tk_1"] });
    const version = at.version(1);
    queues.serve("work", version.runtime);
    await expectItBeginsInTime(version, []);
  });
});

test("a task that is due a moment after it was made waits for that moment, however late it is put", async () => {
  at = await createQueues();
  const version = at.version(1);
  at.queues.serve("work", version.runtime);
  const task = at.task("tk_1", { dueAtMs: at.clock.now() + 1 });
  at.clock.advance(1);
  await at.queues.put([task]);
  await ring();
  expect(version.begun).toMatchObject([{ id: "tk_1", attempt: 1 }]);
  version.running[0]!.succeed("42");
  await at.settle();
  expect(await at.storage.tasks.get("tk_1")).toMatchObject({ status: "COMPLETE", attempts: [{ number: 1 }] });
});

test("a task whose input is lost fails as one that ran: who waits is told, its room is free, and the next of its key begins", async () => {
  at = await createQueues((store) => ({
    ...store,
    ready: async (...args) => (await store.ready(...args)).map((task) => (task.id === "tk_1" ? { ...task, lostInput: "its file is gone" } : task)),
  }));
  await at.queues.put([at.task("tk_1", { concurrencyKey: "k", callbackUrl: "https://example.com" }), at.task("tk_2", { concurrencyKey: "k" })]);
  const { queues } = await at.restart();
  const told: unknown[] = [];
  queues.changes.watch({ id: "tk_1" }, ({ status }) => told.push(status));
  const version = at.version(1);
  queues.serve("work", version.runtime);
  await at.settle();
  expect(told.at(-1)).toBe("ERROR");
  expect(ids(version)).toEqual(["tk_2"]);
  version.running[0]!.succeed();
  await at.settle();
  expect(queues.pending("work")).toBe(0);
  const { tasks } = await at.storage.tasks.list({ ids: ["tk_1"] }, { limit: 1, cursor: null });
  expect(tasks[0]).toMatchObject({ status: "ERROR", error: { code: "storage_failed", message: expect.stringContaining("its file is gone") as string } });
});

test("what becomes ready anywhere in the queue while a read is under way is found, whatever else does after it", async () => {
  const reads: (() => void)[] = [];
  let held = false;
  at = await createQueues((store) => ({
    ...store,
    ready: async (...args) => {
      const page = await store.ready(...args);
      if (held) await new Promise<void>((go) => reads.push(go));
      return page;
    },
  }));
  const version = at.version(1, { slots: 9 });
  await at.queues.put([at.task("tk_2"), at.task("tk_3", { dueAtMs: at.clock.now() + 1_000 })]);
  const { queues } = await at.restart();
  await ring();
  held = true;
  queues.serve("work", version.runtime);
  await at.settle();
  // Before all that the read found, and then behind it.
  await queues.put([at.task("tk_1", { idempotencyKey: "i", priority: 100 })]);
  queues.find("work")!.knowOnlyTo(null);
  at.clock.advance(1_000);
  await at.settle();
  held = false;
  for (const go of reads) go();
  await at.settle();
  expect(ids(version).toSorted()).toEqual(["tk_1", "tk_2", "tk_3"]);
});

test("reads that fail for now are tried again, with growing pauses", async () => {
  let failures = 2;
  at = await createQueues((store) => ({
    ...store,
    ready: (...args) => (failures-- > 0 ? Promise.reject(new SamovarError("storage_failed", "Too many open files")) : store.ready(...args)),
  }));
  await at.queues.put([at.task("tk_1")]);
  const { queues } = await at.restart();
  const version = at.version(1);
  queues.serve("work", version.runtime);
  for (const pauseMs of [250, 500]) {
    await at.settle();
    at.clock.advance(pauseMs - 1);
    await at.settle();
    expect(ids(version)).toEqual([]);
    at.clock.advance(1);
  }
  await at.settle();
  expect(ids(version)).toEqual(["tk_1"]);
});

describe("a handler that goes on after its task is done with it", () => {
  const running = (version: Version): readonly string[] => version.running.map(({ id }) => id);

  test("holds up the next of its concurrency key at a timeout, until it has let go", async () => {
    at = await createQueues();
    const version = at.version(1, { slots: 3 });
    at.queues.serve("work", version.runtime);
    await at.queues.put(["tk_1", "tk_2", "tk_3"].map((id) => at.task(id, { concurrencyKey: id === "tk_3" ? "other" : "k" })));
    const [first] = version.running;
    first!.timeOut();
    await at.settle();
    expect(await status("tk_1")).toBe("TIMEOUT");
    expect(running(version)).toEqual(["tk_3"]);
    first!.letGo();
    await at.settle();
    expect(running(version)).toEqual(["tk_3", "tk_2"]);
  });

  test("holds up its own next attempt", async () => {
    at = await createQueues();
    const version = at.version(1, { slots: 2, retries: { maxRetries: 1, initialDelayMs: 1_000 } });
    at.queues.serve("work", version.runtime);
    await at.queues.put([at.task("tk_1")]);
    const [first] = version.running;
    first!.timeOut();
    await at.settle();
    at.clock.advance(1_000);
    await at.settle();
    expect(running(version)).toEqual([]);
    first!.letGo();
    await at.settle();
    expect(version.running).toMatchObject([{ id: "tk_1", attempt: 2 }]);
  });

  test("holds up the next when it was cancelled; one that is cancelled as well meanwhile never begins", async () => {
    at = await createQueues();
    const version = at.version(1, { slots: 2 });
    at.queues.serve("work", version.runtime);
    await at.queues.put(["tk_1", "tk_2", "tk_3"].map((id) => at.task(id, { concurrencyKey: "k" })));
    const [first] = version.running;
    await at.queues.change("cancel", { ids: ["tk_1"] });
    await at.settle();
    expect(running(version)).toEqual(["tk_1"]);
    await at.queues.change("cancel", { ids: ["tk_2"] });
    first!.succeed();
    await at.settle();
    expect(running(version)).toEqual(["tk_3"]);
    expect(at.queues.pending("work")).toBe(0);
  });

  test("holds up nobody for more than a minute", async () => {
    at = await createQueues();
    const version = at.version(1, { slots: 2 });
    at.queues.serve("work", version.runtime);
    await at.queues.put(["tk_1", "tk_2"].map((id) => at.task(id, { concurrencyKey: "k" })));
    version.running[0]!.timeOut();
    await at.settle();
    at.clock.advance(59_999);
    await at.settle();
    expect(running(version)).toEqual([]);
    at.clock.advance(1);
    await at.settle();
    expect(running(version)).toEqual(["tk_2"]);
  });
});

test("queues beyond a thousand are forgotten when they are empty, and what comes to one of them later is done", async () => {
  at = await createQueues();
  const version = at.version(1, { slots: 2_000 });
  at.queues.serve("work", version.runtime);
  const queueOf = (n: number): string => `work[${n}]`;
  await Promise.all(Array.from({ length: 1_100 }, (_, n) => at.queues.put([at.task(`tk_${n}`, { queue: queueOf(n), parameters: `[${n}]` })])));
  while (version.running.length > 0) version.running[0]!.succeed();
  await at.settle();
  const kept = (): number => Array.from({ length: 1_200 }, (_, n) => at.queues.find(queueOf(n))).filter((queue) => queue !== undefined).length;
  expect(kept()).toBe(1_000);
  // Also what comes to nothing leaves none.
  await Promise.all(
    Array.from({ length: 100 }, (_, n) => at.queues.put([at.task(`tk_late_${n}`, { queue: queueOf(1_100 + n), dueAtMs: at.clock.now() + 60_000 })])),
  );
  expect(kept()).toBe(1_100);
  await at.queues.change("cancel", { statuses: ["PENDING"] });
  await at.settle();
  expect(kept()).toBe(1_000);
  const forgotten = Array.from({ length: 1_100 }, (_, n) => queueOf(n)).find((key) => !at.queues.find(key))!;
  await at.queues.put([at.task("tk_again", { queue: forgotten })]);
  await at.settle();
  expect(version.running.map(({ id }) => id)).toEqual(["tk_again"]);
});

test("a read that is answered late does not hide what has become ready since it was asked", async () => {
  const late: (() => void)[] = [];
  at = await createQueues((store) => ({
    ...store,
    ready: async (...args) => {
      const page = await store.ready(...args);
      // There is nothing behind the first one yet: this answer waits.
      if (page.length === 0) await new Promise<void>((go) => late.push(go));
      return page;
    },
  }));
  await at.queues.put([at.task("tk_1", { concurrencyKey: "k" }), at.task("tk_2", { concurrencyKey: "k" })]);
  const { queues } = await at.restart();
  const version = at.version(1, { slots: 2 });
  queues.serve("work", version.runtime);
  await at.settle();
  expect(ids(version)).toEqual(["tk_1"]);
  expect(late).toHaveLength(1);
  version.running[0]!.succeed();
  await at.settle();
  for (const go of late) go();
  await at.settle();
  expect(ids(version)).toEqual(["tk_1", "tk_2"]);
});

test("a queue that was abandoned forgets nothing of the one that came after it", async () => {
  let fails = false;
  at = await createQueues((store) => ({
    ...store,
    ready: (...args) => (fails && args[0] === "work[0]" ? Promise.reject(new SamovarError("storage_failed", "Too many open files")) : store.ready(...args)),
  }));
  at.queues.serve("other", at.version(9, { slots: 0 }).runtime);
  await Promise.all(Array.from({ length: 1_100 }, (_, n) => at.queues.put([at.task(`other_${n}`, { queue: `other[${n}]` })])));
  at.queues.serve("work", at.version(1, { slots: 0 }).runtime);
  await at.queues.put([at.task("tk_0", { queue: "work[0]" })]);
  fails = true;
  at.queues.find("work[0]")!.lookAgain();
  await at.settle();
  await at.queues.abandon("work");
  fails = false;
  at.queues.serve("work", at.version(2, { slots: 0 }).runtime);
  await at.queues.put([at.task("tk_1", { queue: "work[0]" })]);
  const after = at.queues.find("work[0]");
  at.clock.advance(30_000);
  await at.settle();
  expect(at.queues.find("work[0]")).toBe(after);
});
