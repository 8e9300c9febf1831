import { describe, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";
import { settlementSample as settlement, startSample as start, taskSample as task } from "./task-samples.fixture.ts";
import type { TaskFilter, TaskStore } from "./task-store.ts";

/** tk_0 … tk_9: even ones of resize, odd ones of "other", each a millisecond later; some failed, one runs. */
async function insertTen(tasks: TaskStore): Promise<void> {
  for (let i = 0; i < 10; i++)
    await tasks.insert([task(`tk_${i}`, { queue: i % 2 === 0 ? "resize" : "other", app: i < 5 ? "images" : "text", createdAtMs: NOW_MS + i })]);
  for (const id of ["tk_1", "tk_2", "tk_3"]) tasks.started(start(id, 1));
  await tasks.settle(settlement(start("tk_1", 1), { event: "fail" }));
  await tasks.settle(settlement(start("tk_2", 1), { event: "time-out" }));
  await tasks.change("cancel", { ids: ["tk_8"] }, NOW_MS);
}

export function describeTaskLists(open: () => Promise<{ readonly storage: Storage }>): void {
  describe("lists", () => {
    const cases: readonly (readonly [TaskFilter, string])[] = [
      [{}, "9876543210"],
      [{ queue: "resize" }, "86420"],
      [{ app: "text" }, "98765"],
      [{ functionName: "rESIZE" }, "9876543210"],
      [{ functionName: "resiz" }, ""],
      [{ statuses: ["RUNNING"] }, "3"],
      [{ statuses: ["ERROR", "TIMEOUT", "CANCELLED"] }, "821"],
      [{ statuses: ["PENDING", "ERROR"] }, "9765410"],
      [{ statuses: ["ERROR", "TIMEOUT"], queue: "resize" }, "2"],
      [{ statuses: [] }, ""],
      [{ ids: ["tk_1", "tk_7", "tk_7", "nobody"] }, "71"],
      [{ ids: ["tk_1", "tk_7"], app: "text" }, "7"],
      [{ ids: [] }, ""],
      [{ createdBeforeMs: NOW_MS + 3 }, "210"],
      [{ createdAfterMs: NOW_MS + 3, queue: "other" }, "975"],
      [{ expiredByMs: NOW_MS + 100 }, ""],
      [{ durable: false }, ""],
      [{ inBases: ["resize", "nobody"], app: "text" }, "86"],
      [{ notInBases: ["resize"], statuses: ["ERROR", "TIMEOUT"] }, "1"],
      [{ inBases: [] }, ""],
    ];

    test("each filter finds what it names, newest first, in pages of any size", async () => {
      const { storage } = await open();
      await insertTen(storage.tasks);
      for (const [filter, digits] of cases) {
        for (const limit of [1, 2, 3, 10, 100]) {
          const ids: string[] = [];
          let cursor: string | null = null;
          do {
            const page: Awaited<ReturnType<TaskStore["list"]>> = await storage.tasks.list(filter, { limit, cursor });
            expect(page.tasks.length).toBeLessThanOrEqual(limit);
            ids.push(...page.tasks.map(({ id }) => id));
            cursor = page.cursor;
          } while (cursor !== null);
          expect([filter, limit, ids.join("")]).toEqual([
            filter,
            limit,
            digits
              .split("")
              .map((digit) => `tk_${digit}`)
              .join(""),
          ]);
        }
      }
    });

    test("what comes while pages are read is not in them, and nothing is there twice", async () => {
      const { storage } = await open();
      await insertTen(storage.tasks);
      const first = await storage.tasks.list({}, { limit: 5, cursor: null });
      await storage.tasks.insert([task("tk_new")]);
      const second = await storage.tasks.list({}, { limit: 5, cursor: first.cursor });
      expect([...first.tasks, ...second.tasks].map(({ id }) => id)).toEqual(Array.from({ length: 10 }, (_, i) => `tk_${9 - i}`));
      expect(second.cursor).toBeNull();
    });

    test("a record in a list is what get says, without its input and result", async () => {
      const { storage } = await open();
      await insertTen(storage.tasks);
      const { tasks } = await storage.tasks.list({}, { limit: 10, cursor: null });
      for (const each of tasks) expect(each).toEqual({ ...(await storage.tasks.get(each.id)), input: null, result: null });
    });

    test("counts are of what is not over", async () => {
      const { storage } = await open();
      await insertTen(storage.tasks);
      expect(await storage.tasks.counts("resize")).toEqual({ PENDING: 3 });
      expect(await storage.tasks.counts("other")).toEqual({ PENDING: 3, RUNNING: 1 });
      expect(await storage.tasks.counts("nobody")).toEqual({});
    });

    test("a cursor that no list gave is refused", async () => {
      const { storage } = await open();
      for (const cursor of ["", "x", "MTowMA", "MTotMQ", "MTo5OTk5OTk5OTk5OTk5OTk5OTk", "'; DROP TABLE tasks"]) {
        await expect(storage.tasks.list({}, { limit: 1, cursor })).rejects.toMatchObject({ code: "invalid_request" });
      }
    });
  });
}
