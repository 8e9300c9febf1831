import { describe, expect, test } from "vitest";
import { NOW_MS } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";
import { callSample as call, DAY_MS, taskSample as task } from "./task-samples.fixture.ts";
import type { TaskFilter, TaskStore } from "./task-store.ts";

interface Opened {
  readonly storage: Storage;
  reopen(): Promise<Storage>;
}

const NO = { name: "TypeError", message: "no", code: "handler_error" };

async function readAll(tasks: TaskStore, filter: TaskFilter, limit: number): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<TaskStore["list"]>> = await tasks.list(filter, { limit, cursor });
    expect(page.tasks.length).toBeLessThanOrEqual(limit);
    ids.push(...page.tasks.map(({ id }) => id));
    cursor = page.cursor;
  } while (cursor !== null);
  return ids;
}

/** Tasks and calls in turns, a millisecond apart: tk_00 is a task, tk_01 a call, and so on. */
async function insertMixed(tasks: TaskStore): Promise<void> {
  for (let i = 0; i < 12; i++) {
    const id = `tk_${String(i).padStart(2, "0")}`;
    const createdAtMs = NOW_MS + i;
    const app = i < 6 ? "images" : "text";
    if (i % 2 === 0) await tasks.insert([task(id, { createdAtMs, app })]);
    else tasks.recordCalls([call(id, { createdAtMs, app, functionName: i % 3 === 0 ? "Resize" : "Predict", status: i === 5 ? "ERROR" : "COMPLETE" })]);
  }
}

/** The part of the suite that is about calls that are over. */
export function describeCalls(open: () => Promise<Opened>): void {
  describe("calls", () => {
    test("a call is read as it was recorded, by the next question and after a restart", async () => {
      const { storage, reopen } = await open();
      storage.tasks.recordCalls([
        call("tk_1", { method: "resize", attempts: 2, status: "ERROR", error: NO }),
        call("tk_2", { status: "CANCELLED", containerId: null, startedAtMs: null, attempts: 0, error: NO }),
      ]);
      const first = {
        id: "tk_1",
        durable: false,
        functionName: "Predict",
        app: "images",
        method: "resize",
        status: "ERROR",
        createdAtMs: NOW_MS,
        startedAtMs: NOW_MS + 1,
        endedAtMs: NOW_MS + 5,
        error: NO,
        result: null,
        input: null,
        attempts: [{ number: 2, version: 3, containerId: "ct_1", startedAtMs: NOW_MS + 1, endedAtMs: NOW_MS + 5, outcome: "error", error: NO }],
      };
      expect(await storage.tasks.get("tk_1")).toMatchObject(first);
      const second = { status: "CANCELLED", attempts: [], startedAtMs: null, error: NO };
      const { tasks } = await reopen();
      expect(await tasks.get("tk_1")).toMatchObject(first);
      expect(await tasks.get("tk_2")).toMatchObject(second);
      expect((await tasks.list({}, { limit: 9, cursor: null })).tasks).toEqual([await tasks.get("tk_2"), await tasks.get("tk_1")]);
    });

    test("lists have tasks and calls by age, in pages of any size", async () => {
      const { storage } = await open();
      await insertMixed(storage.tasks);
      const cases: readonly (readonly [TaskFilter, readonly number[]])[] = [
        [{}, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]],
        [{ app: "images" }, [5, 4, 3, 2, 1, 0]],
        [{ functionName: "PREDICT" }, [11, 7, 5, 1]],
        [{ functionName: "resize" }, [10, 9, 8, 6, 4, 3, 2, 0]],
        [{ statuses: ["COMPLETE"] }, [11, 9, 7, 3, 1]],
        [{ statuses: ["ERROR", "PENDING"], app: "images" }, [5, 4, 2, 0]],
        [{ createdBeforeMs: NOW_MS + 4, createdAfterMs: NOW_MS }, [3, 2, 1]],
        [{ ids: ["tk_01", "tk_02", "tk_99"] }, [2, 1]],
        [{ queue: "resize" }, [10, 8, 6, 4, 2, 0]],
        [{ durable: true }, [10, 8, 6, 4, 2, 0]],
        [{ durable: false }, [11, 9, 7, 5, 3, 1]],
        [{ durable: false, app: "images", statuses: ["ERROR"] }, [5]],
        [{ notInBases: ["other"] }, [10, 8, 6, 4, 2, 0]],
      ];
      for (const [filter, numbers] of cases) {
        const expected = numbers.map((n) => `tk_${String(n).padStart(2, "0")}`);
        for (const limit of [1, 2, 5, 100]) expect([filter, limit, await readAll(storage.tasks, filter, limit)]).toEqual([filter, limit, expected]);
      }
    });

    test("what comes while pages are read is not in them, and nothing is there twice", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      await insertMixed(tasks);
      const first = await tasks.list({}, { limit: 1, cursor: null });
      await tasks.insert([task("tk_12", { createdAtMs: NOW_MS + 12 })]);
      tasks.recordCalls([call("tk_13", { createdAtMs: NOW_MS + 13 })]);
      const rest = await tasks.list({}, { limit: 100, cursor: first.cursor });
      expect([...first.tasks, ...rest.tasks].map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, i) => `tk_${String(11 - i).padStart(2, "0")}`));
      expect(rest.cursor).toBeNull();
    });

    test("nothing else is done with them: no change, no count, no queue", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      tasks.recordCalls([call("tk_1", { status: "ERROR", error: NO })]);
      expect(await tasks.change("revive", { ids: ["tk_1"] }, NOW_MS)).toEqual([]);
      expect(await tasks.change("cancel", { functionName: "Predict" }, NOW_MS)).toEqual([]);
      expect(await tasks.counts("predict")).toEqual({});
      expect(await tasks.recover(NOW_MS)).toEqual({ queues: [], running: [] });
    });

    test("they are kept for a day, and the newest 50,000 of them", async () => {
      const { storage } = await open();
      const { tasks } = storage;
      const id = (i: number): string => `tk_${String(i).padStart(6, "0")}`;
      const record = async (from: number, to: number): Promise<void> => {
        for (let i = from; i < to; i += 5_000) {
          tasks.recordCalls(Array.from({ length: 5_000 }, (_, j) => call(id(i + j), { endedAtMs: NOW_MS + i + j })));
          await storage.flush();
        }
      };
      await record(0, 60_000);
      expect([await tasks.get(id(9_999)), (await tasks.get(id(10_000)))?.id]).toEqual([undefined, id(10_000)]);
      while (await tasks.prune(NOW_MS + 59_990 + DAY_MS, 20_000));
      const { tasks: left } = await tasks.list({}, { limit: 100, cursor: null });
      expect(left.map((each) => each.id)).toEqual(Array.from({ length: 10 }, (_, i) => id(59_999 - i)));
      await record(60_000, 65_000);
      expect((await tasks.get(id(59_999)))?.id).toBe(id(59_999));
    });
  });
}
