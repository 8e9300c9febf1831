import { describe, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";
import { HOUR_MS, readyIds, statusOf, settlementSample as settlement, startSample as start, taskSample as task } from "./task-samples.fixture.ts";

const NO = { name: "TypeError", message: "no", code: "handler_error", stack: "TypeError: no\n  at x" };

export function describeTaskChanges(open: () => Promise<{ readonly storage: Storage; reopen(): Promise<Storage> }>): void {
  describe("attempts", () => {
    test("a start is seen by the next question, and an end is on disk when it is acknowledged", async () => {
      const { storage, reopen } = await open();
      await storage.tasks.insert([task("tk_1")]);
      storage.tasks.started(start("tk_1", 1));
      const attempt = { number: 1, version: 3, containerId: "ct_1", startedAtMs: NOW_MS + 10, endedAtMs: null, outcome: null, error: null };
      expect(await storage.tasks.get("tk_1")).toMatchObject({ status: "RUNNING", attempts: [attempt], startedAtMs: NOW_MS + 10, endedAtMs: null });
      expect(await storage.tasks.settle(settlement(start("tk_1", 1)))).toEqual({ applied: true, isReady: false });
      const record = await (await reopen()).tasks.get("tk_1");
      expect(record).toMatchObject({
        status: "COMPLETE",
        attempts: [{ ...attempt, endedAtMs: NOW_MS + 15, outcome: "complete" }],
        endedAtMs: NOW_MS + 15,
        error: null,
      });
      expect(record?.result).toEqual({ encoding: "json", bytes: new TextEncoder().encode('"done"') });
    });

    test("an end whose start is not written yet is one change with it, and without a start there is nothing to end", async () => {
      const { storage } = await open();
      await storage.tasks.insert([task("tk_1"), task("tk_2")]);
      storage.tasks.started(start("tk_1", 1));
      expect(await storage.tasks.settle(settlement(start("tk_1", 1)))).toEqual({ applied: true, isReady: false });
      expect(await storage.tasks.settle(settlement(start("tk_2", 1)))).toEqual({ applied: false, isReady: false });
      expect(await storage.tasks.get("tk_1")).toMatchObject({ status: "COMPLETE", attempts: [{ number: 1, startedAtMs: NOW_MS + 10 }] });
      expect(await statusOf(storage.tasks, "tk_2")).toBe("PENDING");
    });

    test("a retry waits for its time with its error, and what it had is kept with the attempts", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert([task("tk_1", { priority: 1 })]);
      tasks.started(start("tk_1", 1));
      const retry = settlement(start("tk_1", 1), { event: "retry", dueAtMs: NOW_MS + 1_000, error: NO });
      expect(await tasks.settle(retry)).toEqual({ applied: true, isReady: false });
      expect(await tasks.get("tk_1")).toMatchObject({
        status: "RETRY",
        error: NO,
        dueAtMs: NOW_MS + 1_000,
        attempts: [{ number: 1, outcome: "error", error: NO }],
      });
      expect(await readyIds(tasks)).toEqual([]);
      await tasks.promote(NOW_MS + 1_000);
      expect(await tasks.ready("resize", null, 1)).toMatchObject([{ id: "tk_1", attempt: 1, failures: 1, rank: NOW_MS }]);
      tasks.started(start("tk_1", 2));
      expect(await tasks.settle(settlement(start("tk_1", 2), { event: "time-out", error: NO }))).toEqual({ applied: true, isReady: false });
      const record = await tasks.get("tk_1");
      expect(record).toMatchObject({ status: "TIMEOUT", error: NO, startedAtMs: NOW_MS + 10 });
      expect(record?.attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
        [1, "error"],
        [2, "timeout"],
      ]);
    });

    test("an attempt that is given back waits where it stood, and is not counted", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert([task("tk_1"), task("tk_2")]);
      tasks.started(start("tk_1", 1));
      expect(await tasks.settle(settlement(start("tk_1", 1), { event: "give-back", error: null }))).toEqual({ applied: true, isReady: true });
      expect(await tasks.ready("resize", null, 1)).toMatchObject([{ id: "tk_1", attempt: 1, failures: 0 }]);
      expect((await tasks.get("tk_1"))?.attempts).toMatchObject([{ number: 1, outcome: "given-back" }]);
    });

    test("late ones change nothing and say so: an older attempt, one that is over, a number ahead, a task that is not there", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      const late = { applied: false, isReady: false };
      await tasks.insert([task("tk_1")]);
      tasks.started(start("tk_1", 2));
      expect(await statusOf(tasks, "tk_1")).toBe("PENDING");
      tasks.started(start("tk_1", 1));
      await tasks.settle(settlement(start("tk_1", 1), { event: "give-back", error: null }));
      expect(await tasks.settle(settlement(start("tk_1", 1)))).toEqual(late);
      tasks.started(start("tk_1", 2));
      expect(await tasks.settle(settlement(start("tk_1", 1)))).toEqual(late);
      expect(await tasks.settle(settlement(start("tk_1", 3)))).toEqual(late);
      expect(await statusOf(tasks, "tk_1")).toBe("RUNNING");
      expect(await tasks.settle(settlement(start("tk_1", 2)))).toMatchObject({ applied: true });
      expect(await tasks.settle(settlement(start("tk_1", 2), { event: "fail" }))).toEqual(late);
      tasks.started(start("tk_1", 3));
      expect(await tasks.get("tk_1")).toMatchObject({ status: "COMPLETE", attempts: [{ number: 1 }, { number: 2 }] });
      expect(await tasks.settle(settlement(start("tk_9", 1)))).toEqual(late);
    });

    test("what ran when the server ended waits again, with the attempt given back", async () => {
      const { storage, reopen } = await open();
      await storage.tasks.insert([
        task("tk_1", { concurrencyKey: "k" }),
        task("tk_2", { concurrencyKey: "k" }),
        task("tk_3", { queue: "other" }),
        task("tk_4", { queue: "done" }),
      ]);
      for (const id of ["tk_1", "tk_4"]) storage.tasks.started(start(id, 1));
      await storage.tasks.settle(settlement(start("tk_4", 1)));
      await storage.flush();
      const { tasks } = await reopen();
      expect(await tasks.recover(NOW_MS + HOUR_MS)).toEqual({ queues: ["other", "resize"], running: [] });
      expect(await tasks.ready("resize", null, 10)).toMatchObject([{ id: "tk_1", attempt: 1, failures: 0 }]);
      const { attempt: number, id: _, ...first } = start("tk_1", 1);
      expect((await tasks.get("tk_1"))?.attempts).toEqual([{ ...first, number, endedAtMs: NOW_MS + HOUR_MS, outcome: "given-back", error: null }]);
      expect(await tasks.settle(settlement(start("tk_1", 1)))).toEqual({ applied: false, isReady: false });
      expect(await tasks.counts("resize")).toEqual({ PENDING: 2 });
    });
  });

  describe("containers that outlive their server", () => {
    /** Two of them run in `ct_kept`, one in `ct_lost`, and the server is gone. */
    const restart = async (openOne: typeof open) => {
      const { storage, reopen } = await openOne();
      await storage.tasks.insert([
        task("tk_1", { expiresAtMs: NOW_MS + HOUR_MS, priority: 2, concurrencyKey: "k", callbackUrl: "https://example.com/done" }),
        task("tk_2", { queue: "other", functionName: "Other", app: "x" }),
        task("tk_3"),
        task("tk_4", { concurrencyKey: "k" }),
      ]);
      storage.tasks.started(kept("tk_1", 1));
      await storage.tasks.settle(settlement(kept("tk_1", 1), { event: "retry", dueAtMs: NOW_MS }));
      for (const each of [kept("tk_1", 2), kept("tk_2", 1), { ...kept("tk_3", 1), containerId: "ct_lost" }]) storage.tasks.started(each);
      await storage.flush();
      return reopen();
    };
    const kept = (id: string, attempt: number) => ({ ...start(id, attempt), containerId: "ct_kept" });
    const recover = async ({ tasks }: Storage) => tasks.recover(NOW_MS + HOUR_MS, new Set(["ct_kept", "ct_idle"]));

    test("what runs in a container that is kept goes on, as it was given out; the rest waits again", async () => {
      const storage = await restart(open);
      const { tasks } = storage;
      const { queues, running } = await recover(storage);
      expect(queues).toEqual(["other", "resize"]);
      const { attempt: _, id: __, ...run } = kept("tk_1", 2);
      const given = { method: null, parameters: "[]", encoding: "json", reply: "value", createdAtMs: NOW_MS, expiresAtMs: null };
      const { input: ofFirst } = task("tk_1");
      expect(running).toEqual([
        {
          ...{ ...run, queue: "resize", app: "images", functionName: "Resize" },
          task: {
            ...{ ...given, rank: NOW_MS - 2_000, id: "tk_1", input: ofFirst, attempt: 1, failures: 1 },
            ...{ concurrencyKey: "k", callbackUrl: "https://example.com/done" },
          },
        },
        {
          ...{ ...run, queue: "other", app: "x", functionName: "Other" },
          task: {
            ...{ ...given, rank: NOW_MS, id: "tk_2", input: task("tk_2").input, attempt: 0, failures: 0 },
            ...{ concurrencyKey: null, callbackUrl: null },
          },
        },
      ]);
      expect(await tasks.get("tk_1")).toMatchObject({
        status: "RUNNING",
        attempts: [{ outcome: "error" }, { number: 2, containerId: "ct_kept", outcome: null }],
      });
      expect(await readyIds(tasks)).toEqual(["tk_3"]);
      expect(await readyIds(tasks, "other")).toEqual([]);
      expect(await tasks.counts("resize")).toEqual({ PENDING: 2, RUNNING: 1 });
    });

    test("it is settled as any other: done, tried again, or given back", async () => {
      const storage = await restart(open);
      const { tasks } = storage;
      await recover(storage);
      expect(await tasks.settle(settlement(kept("tk_2", 2)))).toEqual({ applied: false, isReady: false });
      expect(await tasks.settle(settlement(kept("tk_2", 1), { event: "give-back", error: null }))).toEqual({ applied: true, isReady: true });
      expect(await tasks.ready("other", null, 9)).toMatchObject([{ id: "tk_2", attempt: 1, failures: 0 }]);
      expect((await tasks.get("tk_2"))?.attempts).toMatchObject([{ number: 1, containerId: "ct_kept", outcome: "given-back" }]);
      tasks.started(kept("tk_2", 2));
      expect(await tasks.settle(settlement(kept("tk_2", 2), { event: "retry", dueAtMs: NOW_MS + HOUR_MS }))).toMatchObject({ applied: true });
      // The next one of its key stands behind it.
      expect(await tasks.settle(settlement(kept("tk_1", 2)))).toEqual({ applied: true, isReady: false, next: { rank: NOW_MS, id: "tk_4", dueAtMs: NOW_MS } });
      expect(await tasks.get("tk_1")).toMatchObject({ status: "COMPLETE", attempts: [{ number: 1 }, { number: 2, outcome: "complete" }] });
      expect(await storage.callbacks.list({ taskId: "tk_1", limit: 9 })).toHaveLength(1);
    });

    test("a server after that one, which keeps none of them, has them wait again", async () => {
      const storage = await restart(open);
      await recover(storage);
      expect((await recover(storage)).running).toHaveLength(2);
      expect(await storage.tasks.recover(NOW_MS + HOUR_MS)).toEqual({ queues: ["other", "resize"], running: [] });
      expect(await readyIds(storage.tasks)).toEqual(["tk_1", "tk_3"]);
    });

    test("thousands go on, each with its own input", async () => {
      const { storage, reopen } = await open();
      const ids = Array.from({ length: 2_500 }, (_, i) => `tk_${String(i).padStart(4, "0")}`);
      await storage.tasks.insert(ids.map((id) => task(id, { input: new TextEncoder().encode(id) })));
      for (const [i, id] of ids.entries()) storage.tasks.started(i % 5 === 4 ? start(id, 1) : kept(id, 1));
      await storage.flush();
      const later = await reopen();
      const { running } = await recover(later);
      const expected = ids.filter((_, i) => i % 5 !== 4);
      expect(running.map(({ task: { id, input } }) => [id, new TextDecoder().decode(input)])).toEqual(expected.map((id) => [id, id]));
      expect(await later.tasks.counts("resize")).toEqual({ RUNNING: 2_000, PENDING: 500 });
    });
  });

  describe("changes from outside", () => {
    test("cancelling ends what waits and what runs, names the attempt that ran, and leaves what is over", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert([task("tk_1"), task("tk_2"), task("tk_3"), task("tk_4", { queue: "other" })]);
      for (const id of ["tk_2", "tk_3"]) tasks.started(start(id, 1));
      await tasks.settle(settlement(start("tk_3", 1)));
      const changed = await tasks.change("cancel", { queue: "resize" }, NOW_MS + 50);
      expect(changed.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { id: "tk_1", queue: "resize", functionName: "Resize", app: "images", status: "CANCELLED", attempt: null },
        { id: "tk_2", queue: "resize", functionName: "Resize", app: "images", status: "CANCELLED", attempt: 1 },
      ]);
      expect(await tasks.get("tk_1")).toMatchObject({ status: "CANCELLED", attempts: [], endedAtMs: NOW_MS + 50 });
      expect(await tasks.get("tk_2")).toMatchObject({ status: "CANCELLED", attempts: [{ number: 1, outcome: "cancelled", endedAtMs: NOW_MS + 50 }] });
      expect(await tasks.settle(settlement(start("tk_2", 1)))).toEqual({ applied: false, isReady: false });
      expect(await tasks.change("cancel", { queue: "resize" }, NOW_MS + 60)).toEqual([]);
      expect(await tasks.counts("resize")).toEqual({});
      expect(await tasks.counts("other")).toEqual({ PENDING: 1 });
    });

    test("what has a time to live expires when no attempt has begun by then", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      const mortal = (id: string, expiresAtMs: number | null) => task(id, { expiresAtMs });
      await tasks.insert([mortal("tk_1", NOW_MS + 10), mortal("tk_2", NOW_MS + 11), mortal("tk_3", null), mortal("tk_4", NOW_MS + 10)]);
      tasks.started(start("tk_4", 1));
      await tasks.settle(settlement(start("tk_4", 1), { event: "retry", dueAtMs: NOW_MS }));
      expect(await tasks.change("expire", { expiredByMs: NOW_MS + 10 }, NOW_MS + 10)).toEqual([
        { id: "tk_1", queue: "resize", functionName: "Resize", app: "images", status: "EXPIRED", attempt: null },
      ]);
      expect((await readyIds(tasks)).toSorted()).toEqual(["tk_2", "tk_3", "tk_4"]);
      expect(await tasks.change("expire", { expiredByMs: NOW_MS + 99, queue: "other" }, NOW_MS + 99)).toEqual([]);
    });

    test("a revived one begins again, now: its failures forgotten, its attempts kept, its time to live whole", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert([task("tk_1", { expiresAtMs: NOW_MS + 100 }), task("tk_2", { expiresAtMs: NOW_MS + 100 })]);
      tasks.started(start("tk_1", 1));
      await tasks.settle(settlement(start("tk_1", 1), { event: "fail", error: NO }));
      await tasks.change("expire", { expiredByMs: NOW_MS + 100 }, NOW_MS + 100);
      const changed = await tasks.change("revive", { statuses: ["ERROR", "EXPIRED", "COMPLETE"] }, NOW_MS + 500);
      expect(changed).toEqual([
        { id: "tk_1", queue: "resize", functionName: "Resize", app: "images", status: "PENDING", attempt: null },
        { id: "tk_2", queue: "resize", functionName: "Resize", app: "images", status: "PENDING", attempt: null },
      ]);
      expect(await tasks.ready("resize", null, 2)).toMatchObject([
        { id: "tk_1", attempt: 1, failures: 0, rank: NOW_MS + 500, expiresAtMs: NOW_MS + 600 },
        { id: "tk_2", attempt: 0, failures: 0 },
      ]);
      expect(await tasks.get("tk_1")).toMatchObject({
        status: "PENDING",
        endedAtMs: null,
        error: null,
        attempts: [{ number: 1, outcome: "error", error: NO, endedAtMs: NOW_MS + 15 }],
      });
      expect(await tasks.prune(NOW_MS + 100 * HOUR_MS, 100)).toBe(false);
      expect(await statusOf(tasks, "tk_1")).toBe("PENDING");
    });

    test("one that is revived again and again has the same time to live each time, and shows when it ends", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert([task("tk_1", { expiresAtMs: NOW_MS + 100 })]);
      for (const atMs of [NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS]) {
        await tasks.change("expire", { expiredByMs: atMs }, atMs);
        await tasks.change("revive", { ids: ["tk_1"] }, atMs);
        expect(await tasks.ready("resize", null, 1)).toMatchObject([{ id: "tk_1", expiresAtMs: atMs + 100 }]);
        expect(await tasks.get("tk_1")).toMatchObject({ expiresAtMs: atMs + 100 });
      }
    });

    test("a revived one goes to the end of the line of its key", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert(["tk_1", "tk_2", "tk_3"].map((id) => task(id, { concurrencyKey: "k" })));
      await tasks.change("cancel", { ids: ["tk_1"] }, NOW_MS);
      await tasks.change("revive", { ids: ["tk_1"] }, NOW_MS);
      expect(await readyIds(tasks)).toEqual(["tk_2"]);
      await tasks.change("cancel", { ids: ["tk_2"] }, NOW_MS);
      expect(await readyIds(tasks)).toEqual(["tk_3"]);
      await tasks.change("cancel", { ids: ["tk_3"] }, NOW_MS);
      expect(await readyIds(tasks)).toEqual(["tk_1"]);
    });

    test("thousands are changed by one call, and found by their statuses", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert(
        Array.from({ length: 1_200 }, (_, i) => task(`tk_${i}`, { concurrencyKey: i % 2 === 0 ? "k" : null, expiresAtMs: i % 3 === 0 ? NOW_MS : null })),
      );
      expect(await tasks.change("expire", { expiredByMs: NOW_MS }, NOW_MS)).toHaveLength(400);
      expect(await tasks.change("cancel", { queue: "resize" }, NOW_MS)).toHaveLength(800);
      expect(await tasks.counts("resize")).toEqual({});
      expect(await tasks.change("revive", { statuses: ["CANCELLED", "EXPIRED"] }, NOW_MS)).toHaveLength(1_200);
      expect(await tasks.counts("resize")).toEqual({ PENDING: 1_200 });
      expect(await tasks.ready("resize", null, 5_000)).toHaveLength(601);
    });
  });

  describe("pruning", () => {
    test("what ended longer ago than it is kept goes, some at a time, with all that was its", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await tasks.insert(Array.from({ length: 5 }, (_, i) => task(`tk_${i}`, { keepMs: i < 3 ? 10 : HOUR_MS })));
      await tasks.change("cancel", { ids: ["tk_0", "tk_1", "tk_2", "tk_3"] }, NOW_MS);
      expect(await tasks.prune(NOW_MS + 10, 2)).toBe(false);
      expect(await tasks.prune(NOW_MS + 11, 2)).toBe(true);
      while (await tasks.prune(NOW_MS + 11, 2));
      const { tasks: left } = await tasks.list({}, { limit: 10, cursor: null });
      expect(left.map(({ id }) => id)).toEqual(["tk_4", "tk_3"]);
      expect(await readyIds(tasks)).toEqual(["tk_4"]);
    });
  });
}
