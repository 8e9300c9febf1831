import { SamovarError } from "@samovar/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { InputSink } from "../input.ts";
import { createQueues, type QueuesUnderTest, type Version } from "./task-queues.fixture.ts";
import type { TaskQueues } from "./task-queues.ts";

/** Of the attempts of the fixture. */
const CONTAINER = "ct_1";
const JSON_HEAD = { status: 200, headers: [["content-type", "application/json"]] } as const;

let at: QueuesUnderTest;
let queues: TaskQueues;
let next: Version;

/** One task runs, others wait, and the server dies; the next one awaits the container. */
beforeEach(async () => {
  at = await createQueues();
  const before = at.version(1);
  at.queues.serve("work", before.runtime);
  await at.queues.put([at.task("t1"), at.task("t2")]);
  await at.settle();
  next = at.version(1, { slots: 2, retries: { maxRetries: 1 } });
  await restart();
});

afterEach(() => at.dispose());

async function restart(): Promise<void> {
  const restarted = await at.restart([CONTAINER]);
  queues = restarted.queues;
  for (const task of restarted.running) queues.takeBack(task, next.runtime);
}

async function serve(): Promise<void> {
  queues.serve("work", next.runtime);
  await at.settle();
}

function claim(attempt = 1, resumable = true): InputSink | null {
  return queues.left.claim({ id: CONTAINER, functionId: "fn_work" }, { taskId: "t1", attempt, resumable })?.input.sink ?? null;
}

const statusOf = async (id: string): Promise<string | undefined> => (await at.storage.tasks.get(id))?.status;

test("what runs in a container that may come back is begun by nobody else; the rest goes on", async () => {
  await serve();
  expect(next.running.map(({ id }) => id)).toEqual(["t2"]);
  expect(await statusOf("t1")).toBe("RUNNING");
  expect(queues.pending("work")).toBe(0);
});

test("the worker that has it claims it once, and its answer ends the attempt of before", async () => {
  await serve();
  const sink = claim()!;
  expect(claim()).toBeNull();
  sink.result(JSON_HEAD, Buffer.from("42"));
  await at.settle();
  const record = (await at.storage.tasks.get("t1"))!;
  expect([record.status, record.attempts.length]).toEqual(["COMPLETE", 1]);
});

test("who waits is told of its end", async () => {
  await serve();
  const told: string[] = [];
  queues.changes.watch({ id: "t1" }, ({ status }) => told.push(status));
  claim()!.result(JSON_HEAD, Buffer.from("42"));
  await at.settle();
  expect(told).toEqual(["COMPLETE"]);
});

test("what its container does not bring back is done again, and not counted", async () => {
  await serve();
  queues.left.settle(CONTAINER);
  await at.settle();
  expect(next.running.map(({ id, attempt }) => `${id}#${attempt}`)).toEqual(["t2#1", "t1#2"]);
  next.running.find(({ id }) => id === "t1")!.fail("no");
  await at.settle();
  expect(await statusOf("t1")).toBe("RETRY");
});

test("an attempt of another number, or that can't go on, is not claimed", async () => {
  await serve();
  expect([claim(2), claim(1, false)]).toEqual([null, null]);
  expect(claim(1)).not.toBeNull();
});

test("cancelled while it is awaited: nobody claims it, and it is not done again", async () => {
  await serve();
  await queues.change("cancel", { ids: ["t1"] });
  expect(claim()).toBeNull();
  queues.left.settle(CONTAINER);
  await at.settle();
  expect([await statusOf("t1"), next.running.map(({ id }) => id)]).toEqual(["CANCELLED", ["t2"]]);
});

test("a handler's failure after the return is one like any other", async () => {
  await serve();
  claim()!.error({ error: new SamovarError("handler_error", "no"), thrown: null, containerId: CONTAINER, attempt: 1 });
  await at.settle();
  expect(await statusOf("t1")).toBe("RETRY");
});

test("a server that dies again before the container is back leaves it to the one after", async () => {
  await serve();
  await restart();
  await serve();
  claim()!.result(JSON_HEAD, Buffer.from("42"));
  await at.settle();
  const record = (await at.storage.tasks.get("t1"))!;
  expect([record.status, record.attempts.length]).toEqual(["COMPLETE", 1]);
});

test("the next one of its concurrency key waits for it", async () => {
  await at.dispose();
  at = await createQueues();
  const before = at.version(1, { slots: 2 });
  at.queues.serve("work", before.runtime);
  await at.queues.put([at.task("t1", { concurrencyKey: "k" }), at.task("t2", { concurrencyKey: "k" })]);
  await at.settle();
  next = at.version(1, { slots: 2, retries: { maxRetries: 1 } });
  await restart();
  await serve();
  expect(next.begun).toEqual([]);
  claim()!.result(JSON_HEAD, Buffer.from("42"));
  await at.settle();
  expect(next.running.map(({ id }) => id)).toEqual(["t2"]);
});

test("one whose start was not on disk yet is claimed all the same, unless it has been begun anew", async () => {
  await serve();
  // As far as the store knows neither of these has begun.
  next.running.find(({ id }) => id === "t2")!.succeed();
  await queues.put([at.task("t3"), at.task("t4"), at.task("t5")]);
  await at.settle();
  const claimOf = (taskId: string, functionId = "fn_work") => queues.left.claim({ id: "ct_2", functionId }, { taskId, attempt: 1, resumable: true });
  expect(next.running.map(({ id }) => id)).toEqual(["t3", "t4"]);
  expect(claimOf("t3")).toBeNull();
  expect(claimOf("t5", "fn_other")).toBeNull();
  claimOf("t5")!.input.sink.result(JSON_HEAD, Buffer.from("42"));
  await at.settle();
  const record = (await at.storage.tasks.get("t5"))!;
  expect([record.status, record.attempts.map(({ containerId }) => containerId)]).toEqual(["COMPLETE", ["ct_2"]]);
  expect([queues.pending("work"), next.begun.some(({ id }) => id === "t5")]).toEqual([0, false]);
});
