import { expect, test } from "vitest";
import { silentLogger, type Logger } from "@samovar/kit";
import type { FunctionRuntime, TaskQueues } from "@samovar/scheduler";
import { settleLeftTasks, type KnownNames } from "./left-tasks.ts";

const VERSION_2 = {} as FunctionRuntime;

const NAMES: KnownNames = {
  registry: { byKey: (name, version) => (name === "resize" && version === 2 ? VERSION_2 : undefined) },
  isDeployed: (name) => name === "served" || name === "stopped",
  embedded: false,
};

/** What is done with each base that an earlier server left. */
async function settle(bases: readonly string[], options: { readonly embedded?: boolean } = {}): Promise<Record<string, string>> {
  const done: Record<string, string> = {};
  const queues = {
    isServed: (base: string) => base === "served",
    serve: (base: string, runtime: FunctionRuntime) => void (done[base] = runtime === VERSION_2 ? "version 2" : "?"),
    abandon: async (base: string) => void (done[base] = "cancelled"),
  } as unknown as TaskQueues;
  await settleLeftTasks(new Set(bases), queues, { ...NAMES, embedded: options.embedded ?? false }, silentLogger);
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

test("what can't be cancelled is logged and in the way of nothing: versions serve at once, and others are cancelled", async () => {
  const asked: string[] = [];
  const logged: unknown[] = [];
  const logger: Logger = { ...silentLogger, error: (fields: object) => void logged.push(fields), child: () => logger };
  const full = Promise.withResolvers<void>();
  const queues = {
    isServed: () => false,
    serve: (base: string) => void asked.push(`serve ${base}`),
    abandon: (base: string) => (asked.push(`cancel ${base}`), base === "ss_1/work" ? full.promise : Promise.resolve()),
  } as unknown as TaskQueues;
  const settled = settleLeftTasks(new Set(["ss_1/work", "resize@2", "gone"]), queues, NAMES, logger);
  expect(asked).toEqual(["cancel ss_1/work", "serve resize@2", "cancel gone"]);
  full.reject(new Error("The disk is full"));
  await settled;
  expect(logged).toEqual([{ queue: "ss_1/work", error: "Error: The disk is full" }]);
});
