import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { WaitingTask } from "@samovar/storage";
import { expect, test } from "vitest";
import { TaskWindow } from "./task-window.ts";

const waiting = (rank: number, bytes: number): WaitingTask => ({
  ...{ id: `tk_${rank}`, rank, method: null, parameters: "[]", encoding: "json", reply: "value", input: Buffer.alloc(bytes), createdAtMs: 0 },
  ...{ expiresAtMs: null, concurrencyKey: null, callbackUrl: null, attempt: 0, failures: 0 },
});
const tasks = (ranks: readonly number[], bytes: number): WaitingTask[] => ranks.map((rank) => waiting(rank, bytes));

test("a window that large inputs have filled is read for again when half of them are gone, and not before", () => {
  const window = new TaskWindow({ isNew: false, limits: { tasks: 100, bytes: 1_600 } });
  window.fill(tasks([1, 2, 3, 4, 5, 6, 7, 8, 9], 200), () => false);
  expect([window.size, window.isLow(50), window.knownTo?.rank]).toEqual([4, false, 4]);
  window.take();
  window.take();
  expect(window.isLow(50)).toBe(false);
  window.take();
  expect(window.isLow(50)).toBe(true);
});

test("one that small inputs fill has as many as are enough", () => {
  const window = new TaskWindow({ isNew: false, limits: { tasks: 100, bytes: 1_600 } });
  window.fill(tasks([1, 2, 3, 4, 5, 6, 7, 8, 9], 200), () => false);
  while (window.take());
  window.fill(tasks([5, 6, 7], 1), () => false);
  expect([window.isLow(3), window.isLow(4)]).toEqual([false, true]);
});

test("what was taken is not kept: the window holds no input but of those that are in it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const window = new TaskWindow({ isNew: true });
  const taken: WeakRef<WaitingTask>[] = [];
  for (let rank = 0; rank < 50; rank++) window.add(waiting(rank, 1_000));
  for (let i = 0; i < 40; i++) taken.push(new WeakRef(window.take()!));
  // What was looked at in this turn of the event loop stays for it.
  await new Promise(setImmediate);
  collect();
  expect(taken.filter((each) => each.deref() !== undefined)).toEqual([]);
  expect(window.size).toBe(10);
});
