import { describe, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";
import { describeTaskChanges } from "./task-conformance-changes.ts";
import { describeTaskLists } from "./task-conformance-lists.ts";
import { DAY_MS, readyIds, settlementSample as settlement, startSample as start, taskSample as task } from "./task-samples.fixture.ts";

interface Opened {
  readonly storage: Storage;
  reopen(): Promise<Storage>;
}

/** The part of the suite that is about tasks. */
export function describeTasks(open: () => Promise<Opened>): void {
  describe("tasks", () => {
    test("a task is read as it was inserted, and after a restart", async () => {
      const { storage, reopen } = await open();
      const one = task("tk_1", {
        method: "resize",
        parameters: '["ünï\'côde"]',
        encoding: "value",
        input: new Uint8Array([0, 255, 1]),
        priority: 1.5,
        dueAtMs: NOW_MS + 1_000,
        expiresAtMs: NOW_MS + 5_000,
        concurrencyKey: "k",
        idempotencyKey: "i",
        callbackUrl: "https://example.com/done",
        tick: "2027-01-01T00:00:00Z",
      });
      expect(await storage.tasks.insert([one])).toEqual([{ id: "tk_1", inserted: true, conflict: false, ready: false }]);
      const { idempotencyMs: _, ...kept } = one;
      const expected = { ...kept, durable: true, status: "PENDING", attempts: [], startedAtMs: null, endedAtMs: null, result: null, error: null };
      expect(await storage.tasks.get("tk_1")).toEqual(expected);
      expect(await storage.tasks.get("tk_2")).toBeUndefined();
      expect(await (await reopen()).tasks.get("tk_1")).toEqual(expected);
    });

    test("inputs that came together keep to their tasks, empty ones and views into larger memory too", async () => {
      const { storage } = await open();
      const memory = new Uint8Array(100).map((_, index) => index);
      await Promise.all([
        storage.tasks.insert([task("tk_1", { input: memory.subarray(10, 12) }), task("tk_2", { input: new Uint8Array() })]),
        storage.tasks.insert([task("tk_3", { input: memory.subarray(50, 53) })]),
      ]);
      const ready = await storage.tasks.ready("resize", null, 10);
      expect(ready.map(({ id, input }) => [id, [...input]])).toEqual([
        ["tk_1", [10, 11]],
        ["tk_2", []],
        ["tk_3", [50, 51, 52]],
      ]);
      expect(memory).toHaveLength(100);
    });

    test("an id that is taken is a conflict: nothing of that insert is kept, and all of those beside it", async () => {
      const { storage } = await open();
      await storage.tasks.insert([task("tk_1")]);
      const results = await Promise.allSettled([
        storage.tasks.insert([task("tk_2")]),
        storage.tasks.insert([task("tk_3"), task("tk_1")]),
        storage.tasks.insert([task("tk_4")]),
      ]);
      expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
      expect(results[1]).toMatchObject({ reason: { code: "conflict" } });
      expect(await readyIds(storage.tasks)).toEqual(["tk_1", "tk_2", "tk_4"]);
      expect(await storage.tasks.counts("resize")).toEqual({ PENDING: 3 });
    });

    describe("order", () => {
      test("ready ones come by the time they are due less their head start, then by id, after a position", async () => {
        const { storage } = await open();
        await storage.tasks.insert([
          task("tk_c", { createdAtMs: NOW_MS }),
          task("tk_b", { createdAtMs: NOW_MS + 2_000, priority: 2 }),
          task("tk_a", { createdAtMs: NOW_MS + 1_000, priority: 3 }),
          task("tk_d", { createdAtMs: NOW_MS - 5_000, priority: -1 }),
          task("tk_0", { queue: "other" }),
        ]);
        const all = await storage.tasks.ready("resize", null, 10);
        expect(all.map(({ id, rank }) => [id, rank - NOW_MS])).toEqual([
          ["tk_d", -4_000],
          ["tk_a", -2_000],
          ["tk_b", 0],
          ["tk_c", 0],
        ]);
        expect((await storage.tasks.ready("resize", all.at(2) ?? null, 10)).map(({ id }) => id)).toEqual(["tk_c"]);
        expect((await storage.tasks.ready("resize", all.at(0) ?? null, 2)).map(({ id }) => id)).toEqual(["tk_a", "tk_b"]);
        expect(await storage.tasks.ready("nobody", null, 10)).toEqual([]);
      });

      test("what isn't due is not ready until it is promoted, which says whose and when the next is due", async () => {
        const { storage } = await open();
        await storage.tasks.insert([
          task("tk_1", { dueAtMs: NOW_MS + 100 }),
          task("tk_2", { dueAtMs: NOW_MS + 101, queue: "other" }),
          task("tk_3", { dueAtMs: NOW_MS + 900 }),
        ]);
        expect(await readyIds(storage.tasks)).toEqual([]);
        expect(await storage.tasks.promote(NOW_MS + 99)).toEqual({ queues: [], nextDueAtMs: NOW_MS + 100, nextExpiryAtMs: null });
        expect(await storage.tasks.promote(NOW_MS + 100)).toEqual({
          queues: [{ queue: "resize", fromRank: NOW_MS + 100 }],
          nextDueAtMs: NOW_MS + 101,
          nextExpiryAtMs: null,
        });
        expect(await readyIds(storage.tasks)).toEqual(["tk_1"]);
        const both = await storage.tasks.promote(NOW_MS + 900);
        expect([both.queues.map(({ queue }) => queue).toSorted(), both.nextDueAtMs]).toEqual([["other", "resize"], null]);
      });

      test("thousands that are due at once are all promoted", async () => {
        const { storage } = await open();
        await storage.tasks.insert(Array.from({ length: 2_500 }, (_, i) => task(`tk_${i}`, { dueAtMs: NOW_MS + 1, input: new Uint8Array() })));
        expect(await storage.tasks.promote(NOW_MS + 1)).toEqual({
          queues: [{ queue: "resize", fromRank: NOW_MS + 1 }],
          nextDueAtMs: null,
          nextExpiryAtMs: null,
        });
        expect(await storage.tasks.ready("resize", null, 5_000)).toHaveLength(2_500);
      });
    });

    describe("concurrency keys", () => {
      const keyed = (id: string, changes = {}) => task(id, { concurrencyKey: "k", ...changes });

      test("only the first of a queue's key that is not over is ready, and its end readies the next", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        const inserted = await tasks.insert([
          keyed("tk_1"),
          keyed("tk_2"),
          keyed("tk_3"),
          keyed("tk_4", { queue: "other" }),
          task("tk_5", { concurrencyKey: "l" }),
        ]);
        expect(inserted.map(({ ready }) => ready)).toEqual([true, false, false, true, true]);
        expect(await readyIds(tasks)).toEqual(["tk_1", "tk_5"]);
        tasks.started(start("tk_1", 1));
        expect(await readyIds(tasks)).toEqual(["tk_5"]);
        expect(await tasks.settle(settlement(start("tk_1", 1), { event: "fail" }))).toEqual({
          applied: true,
          isReady: false,
          next: { rank: NOW_MS, id: "tk_2", dueAtMs: NOW_MS },
        });
        expect(await readyIds(tasks)).toEqual(["tk_2", "tk_5"]);
      });

      test("one that is tried again keeps its turn, and those behind it wait, whatever its priority", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        await tasks.insert([keyed("tk_1"), keyed("tk_2", { priority: 1_000 })]);
        tasks.started(start("tk_1", 1));
        expect(await tasks.settle(settlement(start("tk_1", 1), { event: "retry", dueAtMs: NOW_MS + 500 }))).toEqual({ applied: true, isReady: false });
        expect(await readyIds(tasks)).toEqual([]);
        await tasks.promote(NOW_MS + 500);
        expect(await readyIds(tasks)).toEqual(["tk_1"]);
      });

      test("the next one that isn't due yet waits for its time", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        await tasks.insert([keyed("tk_1"), keyed("tk_2", { dueAtMs: NOW_MS + 500 })]);
        tasks.started(start("tk_1", 1));
        const next = { rank: NOW_MS + 500, id: "tk_2", dueAtMs: NOW_MS + 500 };
        expect(await tasks.settle(settlement(start("tk_1", 1)))).toEqual({ applied: true, isReady: false, next });
        expect(await tasks.promote(NOW_MS + 500)).toEqual({ queues: [{ queue: "resize", fromRank: NOW_MS + 500 }], nextDueAtMs: null, nextExpiryAtMs: null });
        expect(await readyIds(tasks)).toEqual(["tk_2"]);
      });

      test("a head that is cancelled or expires lets the next one go, one further behind doesn't", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        await tasks.insert([keyed("tk_1"), keyed("tk_2", { expiresAtMs: NOW_MS + 10 }), keyed("tk_3"), keyed("tk_4")]);
        await tasks.change("cancel", { ids: ["tk_3"] }, NOW_MS);
        expect(await readyIds(tasks)).toEqual(["tk_1"]);
        await tasks.change("cancel", { ids: ["tk_1"] }, NOW_MS);
        expect(await readyIds(tasks)).toEqual(["tk_2"]);
        await tasks.change("expire", { expiredByMs: NOW_MS + 10 }, NOW_MS + 10);
        expect(await readyIds(tasks)).toEqual(["tk_4"]);
      });
    });

    describe("keys that are seen once", () => {
      test("an idempotency key stands for its first task within its time, in its queue, then for the next", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        const with_ = (id: string, changes = {}) => task(id, { idempotencyKey: "order-7", input: new Uint8Array([7]), ...changes });
        expect(await tasks.insert([with_("tk_1"), with_("tk_2"), with_("tk_3", { queue: "other" })])).toEqual([
          { id: "tk_1", inserted: true, conflict: false, ready: true },
          { id: "tk_1", inserted: false, conflict: false, ready: false },
          { id: "tk_3", inserted: true, conflict: false, ready: true },
        ]);
        expect(await tasks.get("tk_2")).toBeUndefined();
        const [late] = await tasks.insert([with_("tk_4", { createdAtMs: NOW_MS + DAY_MS - 1 })]);
        expect(late).toMatchObject({ id: "tk_1", inserted: false });
        const [later] = await tasks.insert([with_("tk_5", { createdAtMs: NOW_MS + DAY_MS })]);
        expect(later).toMatchObject({ id: "tk_5", inserted: true });
        expect((await tasks.insert([with_("tk_6", { createdAtMs: NOW_MS + DAY_MS + 1 })]))[0]).toMatchObject({ id: "tk_5", inserted: false });
      });

      test("which idempotency keys stand for tasks of a queue is known as soon as these were inserted, and within their time", async () => {
        const { tasks } = (await open()).storage;
        void tasks.insert([task("tk_1", { idempotencyKey: "a" }), task("tk_2", { idempotencyKey: "b", queue: "other" }), task("tk_3", { tick: "c" })]);
        expect(await tasks.knownKeys("resize", ["a", "b", "c", "d"], NOW_MS + DAY_MS - 1)).toEqual(new Set(["a"]));
        expect(await tasks.knownKeys("resize", ["a"], NOW_MS + DAY_MS)).toEqual(new Set());
        expect(await tasks.knownKeys("resize", [], NOW_MS)).toEqual(new Set());
      });

      test("another input, method or encoding under a key is a conflict within its time, and nothing that came with it is kept", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        const input = new Uint8Array([1]);
        await tasks.insert([task("tk_1", { idempotencyKey: "i", input })]);
        const conflict = { id: "tk_1", inserted: false, conflict: true, ready: false };
        const others = [{ input: new Uint8Array([2]) }, { method: "m" }, { parameters: "[1]" }, { encoding: "raw" }] as const;
        for (const other of others) {
          expect(await tasks.insert([task("tk_2", { idempotencyKey: "i", input, ...other })])).toEqual([conflict]);
          const together = [task("tk_3"), task("tk_4", { idempotencyKey: "i", input, ...other }), task("tk_5", { idempotencyKey: "new" })];
          expect(await tasks.insert(together)).toEqual([
            { id: "tk_3", inserted: false, conflict: false, ready: false },
            conflict,
            { id: "tk_5", inserted: false, conflict: false, ready: false },
          ]);
        }
        expect(await readyIds(tasks)).toEqual(["tk_1"]);
        expect(await tasks.counts("resize")).toEqual({ PENDING: 1 });
        expect((await tasks.insert([task("tk_6", { idempotencyKey: "i", createdAtMs: NOW_MS + DAY_MS })]))[0]).toMatchObject({ inserted: true });
        const within = await tasks.insert([task("tk_7", { idempotencyKey: "j", input }), task("tk_8", { idempotencyKey: "j" })]);
        expect(within).toMatchObject([
          { inserted: false, conflict: false },
          { id: "tk_7", conflict: true },
        ]);
        expect(await tasks.get("tk_7")).toBeUndefined();
      });

      test("a queue whose first tasks had a conflict is found by its function when others have come", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        await tasks.insert([task("tk_1", { idempotencyKey: "i" }), task("tk_2", { idempotencyKey: "i", input: new Uint8Array([9]) })]);
        await tasks.insert([task("tk_3")]);
        const { tasks: found } = await tasks.list({ functionName: "Resize" }, { limit: 9, cursor: null });
        expect(found.map(({ id }) => id)).toEqual(["tk_3"]);
      });

      test("another query is another input, whatever else of the request differs", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        const input = new Uint8Array([1]);
        const asked = (url: string, agent = "curl") => JSON.stringify(["http", "ndjson", { method: "POST", url, headers: [["user-agent", agent]] }]);
        const with_ = (id: string, reply: string, changes = {}) => task(id, { idempotencyKey: "i", input, reply, ...changes });
        await tasks.insert([with_("tk_1", asked("http://localhost:8700/endpoint/resize?size=1"))]);
        const [same] = await tasks.insert([with_("tk_2", asked("http://resize.localhost/?size=1", "wget"))]);
        expect(same).toMatchObject({ id: "tk_1", conflict: false });
        for (const url of ["http://localhost:8700/endpoint/resize?size=2", "http://localhost:8700/endpoint/resize"])
          expect(await tasks.insert([with_("tk_3", asked(url))])).toMatchObject([{ id: "tk_1", inserted: false, conflict: true }]);
        // Without one it is what it was to earlier versions, and what is put without a request.
        await tasks.insert([with_("tk_4", asked("http://localhost/endpoint/resize"), { idempotencyKey: "j" })]);
        expect(await tasks.insert([with_("tk_5", "value", { idempotencyKey: "j" })])).toMatchObject([{ id: "tk_4", conflict: false }]);
        // Constructor arguments are said once: they are in `parameters`.
        const of = { idempotencyKey: "k", parameters: "[1]" };
        await tasks.insert([with_("tk_6", asked("http://localhost/cls/m/x?with=[1]&a=1"), of)]);
        expect(await tasks.insert([with_("tk_7", asked("http://localhost/cls/m/x?a=1&with=%5B1%5D"), of)])).toMatchObject([{ id: "tk_6", conflict: false }]);
      });

      test("a key is remembered longer than the task that it stands for, and a tick too", async () => {
        const { storage } = await open();
        const { tasks } = storage;
        const one = task("tk_1", { idempotencyKey: "i", tick: "t", keepMs: 0 });
        await tasks.insert([one]);
        tasks.started(start("tk_1", 1));
        await tasks.settle(settlement(start("tk_1", 1)));
        while (await tasks.prune(NOW_MS + 1_000, 10));
        expect(await tasks.get("tk_1")).toBeUndefined();
        const again = await tasks.insert([{ ...one, id: "tk_2", tick: null }, task("tk_3", { tick: "t", createdAtMs: NOW_MS + 2 * DAY_MS })]);
        expect(again.map(({ id, inserted }) => [id, inserted])).toEqual([
          ["tk_1", false],
          ["tk_1", false],
        ]);
      });

      test("a tick is unique in its queue", async () => {
        const { storage } = await open();
        const inserted = await storage.tasks.insert([
          task("tk_1", { tick: "t" }),
          task("tk_2", { tick: "t" }),
          task("tk_3", { tick: "u" }),
          task("tk_4", { tick: "t", queue: "other" }),
        ]);
        expect(inserted.map(({ id }) => id)).toEqual(["tk_1", "tk_1", "tk_3", "tk_4"]);
      });
    });

    describeTaskChanges(open);
    describeTaskLists(open);
  });
}
