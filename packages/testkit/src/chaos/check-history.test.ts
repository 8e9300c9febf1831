import type { TaskAttempt } from "@samovar/protocol";
import { expect, test } from "vitest";
import { drawAction } from "./actions.ts";
import { checkHistory } from "./check-history.ts";
import { drawTasks } from "./draw-task.ts";
import type { Delivery, Execution, History, KeptTask, Put, ServerLife } from "./history.ts";
import { createRandom } from "./random.ts";

type Made = { -readonly [K in keyof History]: History[K] };

const LIFE: ServerLife = { startedAtMs: 0, endedAtMs: null, end: null };
const KILLED: ServerLife = { startedAtMs: 0, endedAtMs: 150, end: "killed" };

const put = (over: Partial<Put> = {}): Put => ({
  ...{ seq: "p-1", function: "work", behaviour: { does: "work", ms: 0 }, delayMs: 0, ttlMs: null, idempotencyKey: "k-1", concurrencyKey: null },
  ...{ sentAtMs: 10, answers: [{ id: "ta_1", created: true, atMs: 20 }], unanswered: false },
  ...over,
});
const attempt = (over: Partial<TaskAttempt> = {}): TaskAttempt => ({
  ...{ number: 1, version: 1, containerId: "ct_1", startedAtMs: 100, endedAtMs: 200, outcome: "complete", error: null },
  ...over,
});
const execution = (over: Partial<Execution> = {}): Execution => ({
  ...{
    nonce: "n-1",
    seq: "p-1",
    taskId: "ta_1",
    attempt: 1,
    containerId: "ct_1",
    version: 1,
    life: 0,
    bornAtMs: 100,
    startedAtMs: 101,
    end: "returned",
    endedAtMs: 199,
  },
  ...over,
});
const task = (over: Partial<KeptTask> = {}): KeptTask => ({
  ...{ id: "ta_1", function: "work", status: "COMPLETE", createdAtMs: 15, endedAtMs: 200, expiresAtMs: null, concurrencyKey: null },
  ...{ idempotencyKey: "k-1", tickAtMs: null, attempts: [attempt()], seq: "p-1", nonce: "n-1" },
  ...over,
});
const delivery = (over: Partial<Delivery> = {}): Delivery => ({
  ...{ webhookId: "cb_1", taskId: "ta_1", status: "COMPLETE", signed: true, answered: 204, atMs: 300 },
  ...over,
});
const failed = (over: Partial<TaskAttempt> = {}): TaskAttempt =>
  attempt({ outcome: "error", error: { name: "Error", message: "no", code: "handler_error" }, ...over });

/** One task that was put, executed and completed, with what is other. */
function history(over: Partial<Made> = {}): History {
  return {
    queues: { work: { maxRetries: 2, hasCallback: false }, told: { maxRetries: 0, hasCallback: true }, tick: { maxRetries: 0, hasCallback: false } },
    ...{ puts: [put()], cancels: [], told: [], executions: [execution()], lives: [LIFE], killedContainers: [], deliveries: [], tasks: [task()] },
    ...over,
  };
}

const rules = (over: Partial<Made>): string[] => [...new Set(checkHistory(history(over)).map(({ rule }) => rule))];

/** Two tasks of one key, the second one as it is given. */
function keyed(second: Partial<Execution>, first: Partial<Execution> = {}, lives: readonly ServerLife[] = [LIFE]): Partial<Made> {
  const began = second.startedAtMs ?? 210;
  return {
    lives,
    puts: [put({ concurrencyKey: "k" }), put({ seq: "p-2", concurrencyKey: "k", answers: [{ id: "ta_2", created: true, atMs: 21 }] })],
    executions: [execution(first), execution({ nonce: "n-2", seq: "p-2", taskId: "ta_2", containerId: "ct_2", startedAtMs: 210, endedAtMs: 299, ...second })],
    tasks: [
      task({ concurrencyKey: "k" }),
      task({
        id: "ta_2",
        seq: "p-2",
        nonce: "n-2",
        concurrencyKey: "k",
        endedAtMs: 300,
        attempts: [attempt({ containerId: "ct_2", startedAtMs: began, endedAtMs: 300 })],
      }),
    ],
  };
}

const good: readonly (readonly [name: string, over: Partial<Made>])[] = [
  ["a task that was put and completed", {}],
  ["a task that was waited for", { told: [{ taskId: "ta_1", status: "COMPLETE", nonce: "n-1" }] }],
  ["a put that never got an answer, and left nothing", { puts: [put(), put({ seq: "p-2", answers: [], unanswered: true })] }],
  ["a put that was answered again, with the same task", { puts: [put({ unanswered: true, answers: [{ id: "ta_1", created: false, atMs: 30 }] })] }],
  [
    "an attempt that failed before one that completed",
    {
      executions: [execution({ nonce: "n-0", end: "threw", endedAtMs: 150 }), execution({ attempt: 2, startedAtMs: 160 })],
      tasks: [task({ attempts: [failed(), attempt({ number: 2, startedAtMs: 160 })] })],
    },
  ],
  [
    "an attempt in a container that was killed before its handler began",
    {
      killedContainers: [{ id: "ct_0", atMs: 140 }],
      executions: [execution({ attempt: 2, startedAtMs: 160 })],
      tasks: [task({ attempts: [failed({ containerId: "ct_0" }), attempt({ number: 2, startedAtMs: 160 })] })],
    },
  ],
  [
    "a start that was lost with its server, and the same number again in the next life",
    {
      lives: [KILLED, { ...LIFE, startedAtMs: 160 }],
      executions: [execution({ nonce: "n-0", containerId: "ct_0", endedAtMs: 400 }), execution({ life: 1, startedAtMs: 170, endedAtMs: 190 })],
      tasks: [task({ attempts: [attempt({ startedAtMs: 169 })] })],
    },
  ],
  ["tasks of one key, one after another", keyed({})],
  [
    "a task that began beside its commit, and whose server was killed before that was done",
    { lives: [KILLED], puts: [put({ answers: [], unanswered: true, idempotencyKey: null })], executions: [execution({ end: "gone" })], tasks: [] },
  ],
  [
    "what was on its way to a container when its server was killed arrives in the next life, where the same attempt is made anew",
    {
      lives: [KILLED, { ...LIFE, startedAtMs: 150 }],
      executions: [
        execution({ nonce: "n-0", containerId: "ct_0", life: 1, bornAtMs: 90, startedAtMs: 160, endedAtMs: 170 }),
        execution({ life: 1, bornAtMs: 151, startedAtMs: 180, endedAtMs: 190 }),
      ],
    },
  ],
  [
    "a start that was lost with its server, and the same number again in the same container",
    {
      lives: [KILLED, { ...LIFE, startedAtMs: 160 }],
      executions: [
        execution({ nonce: "n-0", bornAtMs: 50, startedAtMs: 101, endedAtMs: 110 }),
        execution({ life: 1, bornAtMs: 50, startedAtMs: 170, endedAtMs: 190 }),
      ],
      tasks: [task({ attempts: [attempt({ startedAtMs: 169 })] })],
    },
  ],
  [
    "a task of a key that an orphan of the life before still executes",
    {
      ...keyed({ life: 1, startedAtMs: 210 }, { life: 1 }, [KILLED, { ...LIFE, startedAtMs: 90 }]),
      executions: [
        execution({ nonce: "n-0", containerId: "ct_0", life: 0, startedAtMs: 80, endedAtMs: 900 }),
        execution({ life: 1 }),
        execution({ nonce: "n-2", seq: "p-2", taskId: "ta_2", containerId: "ct_2", life: 1, startedAtMs: 210, endedAtMs: 299 }),
      ],
    },
  ],
  [
    "a task that was cancelled while it ran",
    {
      cancels: [{ taskId: "ta_1", changed: true, atMs: 150 }],
      tasks: [task({ status: "CANCELLED", nonce: null, endedAtMs: 149, attempts: [attempt({ outcome: "cancelled", endedAtMs: 149 })] })],
    },
  ],
  [
    "a task that began while it was being cancelled",
    { cancels: [{ taskId: "ta_1", changed: true, atMs: 150 }], tasks: [task({ status: "CANCELLED", nonce: null, endedAtMs: 99, attempts: [] })] },
  ],
  ["a task that expired", { puts: [put({ ttlMs: 50 })], executions: [], tasks: [task({ status: "EXPIRED", nonce: null, attempts: [] })] }],
  [
    "a callback that came twice, under one id",
    { puts: [put({ function: "told" })], tasks: [task({ function: "told" })], deliveries: [delivery({ answered: 500 }), delivery()] },
  ],
  [
    "a task for a tick",
    {
      puts: [],
      executions: [],
      tasks: [task({ function: "tick", seq: null, tickAtMs: 4_000, status: "CANCELLED", nonce: null, attempts: [] })],
      cancels: [{ taskId: "ta_1", changed: true, atMs: 1 }],
    },
  ],
];

test.each(good)("nothing is said against %s", (_name, over) => {
  expect(checkHistory(history(over))).toEqual([]);
});

const bad: readonly (readonly [rule: string, name: string, over: Partial<Made>])[] = [
  ["lost", "an acknowledged task is not there", { tasks: [], executions: [] }],
  ["unfinished", "a task never ends", { executions: [], tasks: [task({ status: "PENDING", endedAtMs: null, nonce: null, attempts: [] })] }],
  [
    "doubled",
    "one key is two tasks",
    { tasks: [task(), task({ id: "ta_2", attempts: [attempt()] })], executions: [execution(), execution({ taskId: "ta_2" })] },
  ],
  ["doubled", "one key is answered with two ids", { puts: [put({ answers: [...put().answers, { id: "ta_2", created: true, atMs: 30 }] })] }],
  ["doubled", "a put that was never sent again is said to be an earlier one", { puts: [put({ answers: [{ id: "ta_1", created: false, atMs: 20 }] })] }],
  ["invented", "nobody put it", { puts: [] }],
  ["invented", "it was refused, and is there", { puts: [put({ answers: [] })] }],
  ["invented", "another input was executed", { executions: [execution({ seq: "p-9" })] }],
  ["invented", "a task that is not there was executed, and nobody was killed", { puts: [put({ answers: [], unanswered: true })], tasks: [] }],
  ["taken-back", "it was told as complete, and is not", { told: [{ taskId: "tk_1", status: "COMPLETE", nonce: "n-1" }], tasks: [] }],
  ["taken-back", "another result was told", { told: [{ taskId: "ta_1", status: "COMPLETE", nonce: "n-2" }] }],
  ["mixed-up", "it was acknowledged as another's", { puts: [put(), put({ seq: "p-2" })] }],
  ["lost", "a complete chain has not put its task", { puts: [put({ behaviour: { does: "chain" } })] }],
  ["attempt-numbers", "an attempt is missing in between", { tasks: [task({ attempts: [attempt({ number: 2 })] })] }],
  [
    "completed-twice",
    "two attempts completed it",
    {
      executions: [execution(), execution({ nonce: "n-2", attempt: 2, startedAtMs: 210 })],
      tasks: [task({ attempts: [attempt(), attempt({ number: 2, startedAtMs: 209 })] })],
    },
  ],
  ["status", "it is ERROR with an attempt that completed it", { tasks: [task({ status: "ERROR" })] }],
  ["attempt-open", "it is over, and an attempt isn't", { tasks: [task({ status: "CANCELLED", attempts: [attempt({ outcome: null })] })] }],
  [
    "too-many-attempts",
    "it was tried more often than it may be",
    {
      executions: [1, 2, 3, 4].map((number) =>
        execution({ nonce: `n-${number}`, attempt: number, end: "threw", startedAtMs: 100 * number, endedAtMs: 100 * number + 50 }),
      ),
      tasks: [task({ status: "ERROR", nonce: null, attempts: [1, 2, 3, 4].map((number) => failed({ number })) })],
    },
  ],
  ["given-up", "it has retries left", { executions: [execution({ end: "threw" })], tasks: [task({ status: "ERROR", nonce: null, attempts: [failed()] })] }],
  [
    "unexplained-failure",
    "its handler returned, and nobody was killed",
    {
      executions: [execution(), execution({ nonce: "n-2", attempt: 2, startedAtMs: 210 })],
      tasks: [task({ nonce: "n-2", attempts: [failed(), attempt({ number: 2 })] })],
    },
  ],
  ["unexplained-failure", "it timed out, and does not take long", { tasks: [task({ attempts: [attempt({ outcome: "timeout" }), attempt({ number: 2 })] })] }],
  ["status", "it is COMPLETE, and never returns", { puts: [put({ behaviour: { does: "poison", how: "exit" } })] }],
  ["status", "it is CANCELLED, and nobody asked for it", { executions: [], tasks: [task({ status: "CANCELLED", nonce: null, attempts: [] })] }],
  ["status", "it is EXPIRED without a ttl", { executions: [], tasks: [task({ status: "EXPIRED", nonce: null, attempts: [] })] }],
  ["cancelled", "its cancel was acknowledged, and it is COMPLETE", { cancels: [{ taskId: "ta_1", changed: true, atMs: 150 }] }],
  [
    "cancelled",
    "an attempt began after its cancel was acknowledged",
    {
      cancels: [{ taskId: "ta_1", changed: true, atMs: 50 }],
      tasks: [task({ status: "CANCELLED", nonce: null, attempts: [attempt({ outcome: "cancelled" })] })],
    },
  ],
  [
    "unrecorded",
    "it was executed after its cancel was acknowledged",
    { cancels: [{ taskId: "ta_1", changed: true, atMs: 90 }], tasks: [task({ status: "CANCELLED", nonce: null, endedAtMs: 89, attempts: [] })] },
  ],
  ["executed-twice", "one attempt ran twice in one life", { executions: [execution(), execution({ nonce: "n-2", startedAtMs: 150 })] }],
  [
    "unrecorded",
    "an execution is no attempt, and no server was killed",
    { executions: [execution({ nonce: "n-0", containerId: "ct_0" }), execution({ startedAtMs: 150 })] },
  ],
  [
    "unrecorded",
    "a start is missing before one of the same life that is recorded",
    {
      lives: [KILLED],
      executions: [execution({ nonce: "n-0", containerId: "ct_0", end: "gone" }), execution({ attempt: 2, startedAtMs: 150 })],
      tasks: [task({ attempts: [failed({ containerId: "ct_9" }), attempt({ number: 2 })] })],
    },
  ],
  ["result", "its result is of no execution", { tasks: [task({ nonce: "n-9" })] }],
  ["result", "the completing attempt was never seen", { executions: [] }],
  ["result", "the completing attempt did not return", { executions: [execution({ end: "gone" })] }],
  [
    "result-dropped",
    "an attempt returned, and was tried again for no reason",
    {
      executions: [execution({ nonce: "n-0", containerId: "ct_0" }), execution({ attempt: 2, startedAtMs: 250 })],
      tasks: [task({ attempts: [attempt({ containerId: "ct_0", outcome: "error" }), attempt({ number: 2 })] })],
    },
  ],
  ["key-order", "the second of a key began before the first was over", keyed({ startedAtMs: 199 })],
  ["key-overlap", "two of a key ran at a time", keyed({ startedAtMs: 205 }, { endedAtMs: 220 })],
  [
    "key-overlap",
    "two of a key ran at a time in two lives, and the first was stopped",
    keyed({ life: 1 }, { endedAtMs: 220 }, [{ ...KILLED, end: "stopped" }, LIFE]),
  ],
  ["delay", "it began before its delay was over", { puts: [put({ delayMs: 500 })] }],
  [
    "expired",
    "it is EXPIRED, and was executed",
    { puts: [put({ ttlMs: 50 })], executions: [execution()], tasks: [task({ status: "EXPIRED", nonce: null, attempts: [] })] },
  ],
  ["expired", "it began when it had expired", { puts: [put({ ttlMs: 50 })] }],
  [
    "callback-lost",
    "its end was told to nobody",
    { puts: [put({ function: "told" })], tasks: [task({ function: "told" })], deliveries: [delivery({ answered: 500 })] },
  ],
  [
    "callback-id",
    "its one end has two ids",
    { puts: [put({ function: "told" })], tasks: [task({ function: "told" })], deliveries: [delivery(), delivery({ webhookId: "cb_2" })] },
  ],
  [
    "callback-status",
    "another end was told",
    { puts: [put({ function: "told" })], tasks: [task({ function: "told" })], deliveries: [delivery({ status: "ERROR" })] },
  ],
  [
    "callback-signature",
    "it is not signed",
    { puts: [put({ function: "told" })], tasks: [task({ function: "told" })], deliveries: [delivery({ signed: false })] },
  ],
  ["callback-invented", "a task without a callback was told", { deliveries: [delivery()] }],
  [
    "tick-twice",
    "one tick has two tasks",
    { puts: [], executions: [], tasks: ["ta_1", "ta_2"].map((id) => task({ id, function: "tick", seq: null, tickAtMs: 4_000 })) },
  ],
  ["tick", "it stands for no tick", { puts: [], executions: [], tasks: [task({ function: "tick", seq: null, tickAtMs: 4_001 })] }],
  ["server-crashed", "the server ended by itself", { lives: [{ ...KILLED, end: "crashed" }] }],
];

test.each(bad)("%s: %s", (rule, _name, over) => {
  expect(rules(over)).toContain(rule);
});

test("a seed leads to the same actions and the same tasks, another one to others", () => {
  const draw = (seed: number): unknown => {
    const [killer, producer] = [createRandom(seed, "killer"), createRandom(seed, "p1")];
    let count = 0;
    return [Array.from({ length: 50 }, () => drawAction(killer)), Array.from({ length: 50 }, () => drawTasks(producer, "p1", () => ++count))];
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
});
