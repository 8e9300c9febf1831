import { describe, expect, test } from "vitest";
import type { CallbackStore } from "./callback-store.ts";
import { NOW_MS } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";
import { DAY_MS, HOUR_MS, settlementSample as settlement, startSample as start, taskSample as task } from "./task-samples.fixture.ts";
import type { NewTask, TaskStore } from "./task-store.ts";

interface Opened {
  readonly storage: Storage;
  reopen(): Promise<Storage>;
}

const URL_ = "https://example.com/done";
const withUrl = (id: string, changes: Partial<NewTask> = {}): NewTask => task(id, { callbackUrl: URL_, ...changes });

async function complete(tasks: TaskStore, id: string, attempt = 1, endedAtMs = NOW_MS + 15): Promise<void> {
  tasks.started(start(id, attempt));
  expect(await tasks.settle(settlement(start(id, attempt), { endedAtMs }))).toMatchObject({ applied: true });
}

async function onlyOne(callbacks: CallbackStore): Promise<string> {
  const listed = await callbacks.list({ limit: 10 });
  expect(listed).toHaveLength(1);
  return listed[0]!.id;
}

/** The part of the suite that is about callbacks. */
export function describeCallbacks(open: () => Promise<Opened>): void {
  describe("callbacks", () => {
    test("every end of a task that has a URL adds one, due at once, and it is there after a restart", async () => {
      const { storage, reopen } = await open();
      const { tasks } = storage;
      await tasks.insert([...["tk_1", "tk_2", "tk_3", "tk_4"].map((id) => withUrl(id)), withUrl("tk_5", { expiresAtMs: NOW_MS }), task("tk_6")]);
      for (const id of ["tk_1", "tk_2", "tk_3", "tk_6"]) tasks.started(start(id, 1));
      for (const [id, event] of [
        ["tk_1", "succeed"],
        ["tk_2", "fail"],
        ["tk_3", "time-out"],
        ["tk_6", "succeed"],
      ] as const)
        await tasks.settle(settlement(start(id, 1), { event }));
      await tasks.change("cancel", { ids: ["tk_4"] }, NOW_MS + 20);
      await tasks.change("expire", { expiredByMs: NOW_MS }, NOW_MS + 30);
      const { callbacks } = await reopen();
      const listed = await callbacks.list({ limit: 10 });
      expect(listed.map(({ taskId }) => taskId)).toEqual(["tk_5", "tk_4", "tk_3", "tk_2", "tk_1"]);
      expect(listed.at(-1)).toEqual({
        id: expect.stringMatching(/^cb_[0-9a-z]{20}$/) as string,
        taskId: "tk_1",
        function: "Resize",
        app: "images",
        url: URL_,
        state: "pending",
        attempts: 0,
        createdAtMs: NOW_MS + 15,
        dueAtMs: NOW_MS + 15,
        endedAtMs: null,
        lastError: null,
      });
      expect(new Set(listed.map(({ id }) => id)).size).toBe(5);
      const due = await callbacks.due(NOW_MS + 30, 2);
      const { id, taskId, createdAtMs } = listed.at(-1)!;
      expect(due.callbacks[0]).toEqual({ id, taskId, functionName: "Resize", app: "images", url: URL_, attempt: 1, createdAtMs });
      expect([due.callbacks.length, due.nextDueAtMs]).toEqual([2, NOW_MS + 15]);
      expect(await callbacks.due(NOW_MS + 15, 10)).toMatchObject({ callbacks: { length: 3 }, nextDueAtMs: NOW_MS + 20 });
      expect(await callbacks.due(NOW_MS + 14, 10)).toEqual({ callbacks: [], nextDueAtMs: NOW_MS + 15 });
    });

    test("an end that comes too late, a retry and a given back attempt add none", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1")]);
      tasks.started(start("tk_1", 1));
      await tasks.settle(settlement(start("tk_1", 1), { event: "give-back" }));
      tasks.started(start("tk_1", 2));
      await tasks.settle(settlement(start("tk_1", 2), { event: "retry", dueAtMs: NOW_MS }));
      await tasks.settle(settlement(start("tk_1", 2)));
      expect(await callbacks.list({ limit: 10 })).toEqual([]);
      await complete(tasks, "tk_1", 3);
      await tasks.settle(settlement(start("tk_1", 3)));
      await tasks.change("cancel", { ids: ["tk_1"] }, NOW_MS);
      await onlyOne(callbacks);
    });

    test("a revived task that ends again adds another, and an end that nobody was told of is none", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1"), withUrl("tk_2")]);
      await tasks.change("cancel", {}, NOW_MS);
      for (const { taskId, id } of await callbacks.list({ limit: 10 }))
        expect(
          await callbacks.settle(id, 1, taskId === "tk_1" ? { kind: "delivered", atMs: NOW_MS } : { kind: "again", dueAtMs: NOW_MS + 5_000, error: "503" }),
        ).toBe(true);
      await tasks.change("revive", {}, NOW_MS + 1);
      await complete(tasks, "tk_1");
      expect((await callbacks.list({ taskId: "tk_1", limit: 10 })).map(({ createdAtMs }) => createdAtMs)).toEqual([NOW_MS + 15, NOW_MS]);
      expect(await callbacks.list({ taskId: "tk_2", limit: 10 })).toEqual([]);
      await complete(tasks, "tk_2");
      expect((await callbacks.list({ taskId: "tk_2", limit: 10 })).map(({ createdAtMs }) => createdAtMs)).toEqual([NOW_MS + 15]);
    });

    test("an attempt is settled once, by its number: again later, then delivered", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1")]);
      await complete(tasks, "tk_1");
      const id = await onlyOne(callbacks);
      const again = { kind: "again", dueAtMs: NOW_MS + 5_000, error: "503" } as const;
      expect(await callbacks.settle(id, 2, again)).toBe(false);
      expect(await callbacks.settle("nobody", 1, again)).toBe(false);
      expect(await callbacks.settle(id, 1, again)).toBe(true);
      expect(await callbacks.settle(id, 1, { kind: "delivered", atMs: NOW_MS })).toBe(false);
      expect(await callbacks.get(id)).toMatchObject({ state: "pending", attempts: 1, dueAtMs: NOW_MS + 5_000, lastError: "503", endedAtMs: null });
      expect(await callbacks.due(NOW_MS + 4_999, 9)).toEqual({ callbacks: [], nextDueAtMs: NOW_MS + 5_000 });
      expect((await callbacks.due(NOW_MS + 5_000, 9)).callbacks).toMatchObject([{ id, attempt: 2 }]);
      expect(await callbacks.settle(id, 2, { kind: "delivered", atMs: NOW_MS + 6_000 })).toBe(true);
      const delivered = { state: "delivered", attempts: 2, dueAtMs: null, endedAtMs: NOW_MS + 6_000, lastError: null };
      expect(await callbacks.get(id)).toMatchObject(delivered);
      expect(await callbacks.settle(id, 3, again)).toBe(false);
      expect(await callbacks.due(NOW_MS + DAY_MS, 9)).toEqual({ callbacks: [], nextDueAtMs: null });
      expect(await callbacks.get("nobody")).toBeUndefined();
    });

    test("one that failed for good can begin anew, and no other", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1")]);
      await complete(tasks, "tk_1");
      const id = await onlyOne(callbacks);
      expect(await callbacks.revive(id, NOW_MS)).toBeUndefined();
      await callbacks.settle(id, 1, { kind: "failed", atMs: NOW_MS + 100, error: "410" });
      expect(await callbacks.get(id)).toMatchObject({ state: "failed", attempts: 1, dueAtMs: null, endedAtMs: NOW_MS + 100, lastError: "410" });
      const revived = { state: "pending", attempts: 0, dueAtMs: NOW_MS + 500, endedAtMs: null, lastError: null };
      expect(await callbacks.revive(id, NOW_MS + 500)).toMatchObject(revived);
      expect(await callbacks.revive(id, NOW_MS + 500)).toBeUndefined();
      expect((await callbacks.due(NOW_MS + 500, 9)).callbacks).toMatchObject([{ id, attempt: 1 }]);
    });

    test("a task whose callback is pending stays, and goes with what was delivered; what failed is shown for 30 days", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1", { keepMs: HOUR_MS }), withUrl("tk_2", { keepMs: HOUR_MS })]);
      for (const id of ["tk_1", "tk_2"]) await complete(tasks, id);
      const [second, first] = (await callbacks.list({ limit: 10 })).map(({ id }) => id);
      const kept = async (nowMs: number): Promise<boolean[]> => {
        while (await tasks.prune(nowMs, 10));
        return Promise.all(["tk_1", "tk_2"].map(async (id) => (await tasks.get(id)) !== undefined));
      };
      expect(await kept(NOW_MS + 2 * HOUR_MS)).toEqual([true, true]);
      await callbacks.settle(first!, 1, { kind: "delivered", atMs: NOW_MS + HOUR_MS });
      await callbacks.settle(second!, 1, { kind: "failed", atMs: NOW_MS + HOUR_MS, error: "gone" });
      await callbacks.revive(second!, NOW_MS + HOUR_MS);
      expect(await kept(NOW_MS + 2 * HOUR_MS)).toEqual([false, true]);
      expect(await callbacks.get(first!)).toBeUndefined();
      await callbacks.settle(second!, 1, { kind: "failed", atMs: NOW_MS + HOUR_MS, error: "gone" });
      expect(await kept(NOW_MS + 2 * HOUR_MS)).toEqual([false, false]);
      expect(await callbacks.revive(second!, NOW_MS + 3 * HOUR_MS)).toBeUndefined();
      await kept(NOW_MS + HOUR_MS + 30 * DAY_MS);
      expect(await callbacks.get(second!)).toMatchObject({ state: "failed" });
      await kept(NOW_MS + HOUR_MS + 30 * DAY_MS + 1);
      expect(await callbacks.get(second!)).toBeUndefined();
    });

    test("lists are newest first, of a state, an app, a task, up to the limit", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert(["tk_1", "tk_2", "tk_3"].map((id, i) => withUrl(id, { app: i === 2 ? "text" : "images" })));
      for (const id of ["tk_1", "tk_2", "tk_3"]) await complete(tasks, id);
      const [third] = await callbacks.list({ limit: 1 });
      await callbacks.settle(third!.id, 1, { kind: "failed", atMs: NOW_MS, error: "no" });
      const found = async (filter: Omit<Parameters<CallbackStore["list"]>[0], "limit">, limit = 10) =>
        (await callbacks.list({ ...filter, limit })).map(({ taskId }) => taskId);
      expect(await found({}, 2)).toEqual(["tk_3", "tk_2"]);
      expect(await found({ state: "failed" })).toEqual(["tk_3"]);
      expect(await found({ state: "pending", app: "images" })).toEqual(["tk_2", "tk_1"]);
      expect(await found({ taskId: "tk_1" })).toEqual(["tk_1"]);
      expect(await found({ app: "nobody" })).toEqual([]);
      expect(await found({ before: third!.id })).toEqual(["tk_2", "tk_1"]);
      expect(await found({ before: third!.id, state: "failed" })).toEqual([]);
    });

    test("the page behind one that is gone begins where it was", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      const ids = ["tk_1", "tk_2", "tk_3", "tk_4"];
      await tasks.insert(ids.map((id) => withUrl(id)));
      for (const id of ids) await tasks.change("cancel", { ids: [id] }, NOW_MS);
      const [, third, second] = await callbacks.list({ limit: 3 });
      const behind = async (before: string): Promise<readonly string[]> => (await callbacks.list({ before, limit: 10 })).map(({ taskId }) => taskId);
      // Its end is none any more.
      await tasks.change("revive", { ids: ["tk_3"] }, NOW_MS + 20);
      expect([await callbacks.get(third!.id), await behind(third!.id)]).toEqual([undefined, ["tk_2", "tk_1"]]);
      await tasks.change("revive", { ids: ["tk_1", "tk_2"] }, NOW_MS + 20);
      expect(await behind(second!.id)).toEqual([]);
    });

    test("one that failed for good doesn't begin anew for an end that is none any more", async () => {
      const { storage } = await open();
      const { tasks, callbacks } = storage;
      await tasks.insert([withUrl("tk_1")]);
      await tasks.change("cancel", {}, NOW_MS + 15);
      const first = await onlyOne(callbacks);
      await callbacks.settle(first, 1, { kind: "failed", atMs: NOW_MS + 16, error: "410" });
      await tasks.change("revive", {}, NOW_MS + 20);
      expect(await callbacks.revive(first, NOW_MS + 21)).toBeUndefined();
      await complete(tasks, "tk_1", 1, NOW_MS + 30);
      const [second] = await callbacks.list({ limit: 1 });
      await callbacks.settle(second!.id, 1, { kind: "failed", atMs: NOW_MS + 31, error: "410" });
      expect(await callbacks.revive(first, NOW_MS + 32)).toBeUndefined();
      expect(await callbacks.revive(second!.id, NOW_MS + 32)).toMatchObject({ state: "pending" });
    });

    test("thousands that are cancelled at once have one each", async () => {
      const { storage } = await open();
      await storage.tasks.insert(Array.from({ length: 1_200 }, (_, i) => withUrl(`tk_${i}`)));
      await storage.tasks.change("cancel", { queue: "resize" }, NOW_MS);
      const { callbacks, nextDueAtMs } = await storage.callbacks.due(NOW_MS, 5_000);
      expect([new Set(callbacks.map(({ taskId }) => taskId)).size, callbacks.length, nextDueAtMs]).toEqual([1_200, 1_200, null]);
    });
  });
}
