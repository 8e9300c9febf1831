import { expect, test } from "vitest";
import type { FunctionRuntime, TaskQueues } from "@samovar/scheduler";
import { settleLeftTasks } from "./left-tasks.ts";

const VERSION_2 = {} as FunctionRuntime;

/** What is done with each base that an earlier server left. */
async function settle(bases: readonly string[], options: { readonly embedded?: boolean } = {}): Promise<Record<string, string>> {
  const done: Record<string, string> = {};
  const queues = {
    isServed: (base: string) => base === "served",
    serve: (base: string, runtime: FunctionRuntime) => void (done[base] = runtime === VERSION_2 ? "version 2" : "?"),
    abandon: async (base: string) => void (done[base] = "cancelled"),
  } as unknown as TaskQueues;
  await settleLeftTasks(new Set(bases), queues, {
    registry: { byKey: (name, version) => (name === "resize" && version === 2 ? VERSION_2 : undefined) },
    isDeployed: (name) => name === "served" || name === "stopped",
    embedded: options.embedded ?? false,
  });
  return done;
}

test("tasks of what is served or only stopped stay; those of sessions and of what was deleted are cancelled", async () => {
  expect(await settle(["served", "stopped", "gone", "ss_1/work"])).toEqual({ gone: "cancelled", "ss_1/work": "cancelled" });
});

test("what was queued for a version beside the active one goes on with it, while it is there", async () => {
  expect(await settle(["resize@2", "resize@3"])).toEqual({ "resize@2": "version 2", "resize@3": "cancelled" });
});

test("a server of run or serve leaves tasks of deployments to one that stays", async () => {
  expect(await settle(["served", "gone", "resize@2", "ss_1/work"], { embedded: true })).toEqual({ "ss_1/work": "cancelled" });
});
