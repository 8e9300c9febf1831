import { expect, test } from "vitest";
import { TASK_STATUSES, isTaskOver, nextTaskStatus, type TaskEvent } from "./tasks.ts";

const EVENTS: readonly TaskEvent[] = ["start", "succeed", "fail", "time-out", "retry", "give-back", "cancel", "expire", "revive"];

test("a task that has a result keeps it, whatever comes late", () => {
  for (const event of EVENTS) expect(nextTaskStatus("COMPLETE", event)).toBeUndefined();
});

test("only a running task ends by what a worker says", () => {
  for (const status of TASK_STATUSES) {
    for (const event of ["succeed", "fail", "time-out", "retry", "give-back"] as const)
      expect(nextTaskStatus(status, event) !== undefined, `${status} ${event}`).toBe(status === "RUNNING");
  }
});

test("what is not over can be cancelled, what is over cannot", () => {
  for (const status of TASK_STATUSES) expect(nextTaskStatus(status, "cancel")).toBe(isTaskOver(status) ? undefined : "CANCELLED");
});

test("a running task does not expire; one that waits does", () => {
  expect(TASK_STATUSES.filter((status) => nextTaskStatus(status, "expire") === "EXPIRED")).toEqual(["PENDING", "RETRY"]);
});

test("whatever ended without a result can be revived", () => {
  expect(TASK_STATUSES.filter((status) => nextTaskStatus(status, "revive") === "PENDING")).toEqual(["ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"]);
});

test("from every status that is not over, each end is reached", () => {
  for (const begin of ["PENDING", "RUNNING", "RETRY"] as const) {
    const reached = new Set([begin as string]);
    const queue = [begin as (typeof TASK_STATUSES)[number]];
    for (let status = queue.pop(); status; status = queue.pop()) {
      for (const event of EVENTS) {
        const next = nextTaskStatus(status, event);
        if (!next || reached.has(next)) continue;
        reached.add(next);
        queue.push(next);
      }
    }
    expect([...reached].toSorted()).toEqual([...TASK_STATUSES].toSorted());
  }
});
