import { expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { MAX_PUT_TASKS, SamovarError, decodeValue, encodeValue, type AnswerHead, type TaskDetail } from "@samovar/protocol";
import type { CallReply, InputSink, TaskControl } from "@samovar/scheduler";
import { answerQuestion, readPuts } from "./container-tasks.ts";

const HEAD: AnswerHead = { status: 200, headers: [["content-type", "application/vnd.samovar.value"]] };

interface Asked {
  readonly answer: Promise<unknown>;
  readonly clock: FakeClock;
  /** Where the task's answer goes, once it is waited for. */
  readonly sinks: InputSink[];
  left(): number;
  leave(): void;
}

/** A question about the task `tk_1` of the app `shop`, from a container of `app`. */
function ask(question: unknown, app = "shop"): Asked {
  const sinks: InputSink[] = [];
  let left = 0;
  const tasks = {
    get: async (id: string) => (id === "tk_1" ? ({ id, app: "shop", status: "RUNNING" } as unknown as TaskDetail) : undefined),
    cancel: async () => ["tk_1"],
    answer: (_id: string, sink: InputSink) => {
      sinks.push(sink);
      return { leave: () => void left++ };
    },
  } as unknown as TaskControl;
  const clock = new FakeClock();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const reply: CallReply = {
    result: (_head, body) => resolve(decodeValue(body)),
    error: ({ error }) => reject(new SamovarError("internal", `${error.code}: ${error.message}`)),
    head() {},
    data: () => true,
    end() {},
  };
  const control = answerQuestion(tasks, app, encodeValue(question), reply, clock);
  return { answer: promise, clock, sinks, left: () => left, leave: () => control.cancel() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a task is shown and cancelled by containers of its app, and is unknown to those of others", async () => {
  await expect(ask({ ask: "info", id: "tk_1" }).answer).resolves.toMatchObject({ status: "RUNNING" });
  await expect(ask({ ask: "cancel", id: "tk_1" }).answer).resolves.toBe(true);
  for (const question of ["info", "cancel", "result"]) await expect(ask({ ask: question, id: "tk_1" }, "other").answer).rejects.toThrow("not_found");
  await expect(ask({ ask: "info", id: "tk_2" }).answer).rejects.toThrow("not_found");
  await expect(ask({ ask: "delete", id: "tk_1" }).answer).rejects.toThrow("protocol_error");
});

test("a result comes when the task is over, and no timer is left", async () => {
  const asked = ask({ ask: "result", id: "tk_1", waitMs: 5_000 });
  await turn();
  asked.sinks[0]!.result(HEAD, encodeValue({ done: true }));
  await expect(asked.answer).resolves.toEqual({ done: true });
  expect(asked.clock.pending).toBe(0);
  expect(asked.left()).toBe(1);
});

test("whoever waits for a time is told that the task goes on, and hears no more of it", async () => {
  const asked = ask({ ask: "result", id: "tk_1", waitMs: 5_000 });
  await turn();
  asked.clock.advance(5_000);
  await expect(asked.answer).rejects.toThrow("timeout: Task tk_1 is not over after 5 s; it goes on");
  asked.sinks[0]!.result(HEAD, encodeValue("late"));
  expect(asked.left()).toBe(1);
});

test("who leaves before it was even looked up leaves nothing behind", async () => {
  const asked = ask({ ask: "result", id: "tk_1", waitMs: 5_000 });
  asked.leave();
  await turn();
  expect(asked.sinks).toEqual([]);
  expect(asked.clock.pending).toBe(0);
});

test("inputs that are put are read with their options; a list that is none or too long is refused", () => {
  const tasks = [{ input: { n: 1 }, delayMs: 5, concurrencyKey: "k" }, {}];
  const [first, second] = readPuts(encodeValue({ tasks }), "predict");
  expect(first).toMatchObject({ method: "predict", encoding: "value", delayMs: 5, priorityMs: 0, ttlMs: null, concurrencyKey: "k", idempotencyKey: null });
  expect(decodeValue(first!.body!)).toEqual({ n: 1 });
  expect(second).toMatchObject({ encoding: "none", body: null });
  for (const wrong of [undefined, "x", Array.from({ length: MAX_PUT_TASKS + 1 }, () => ({}))])
    expect(() => readPuts(encodeValue({ tasks: wrong }), null)).toThrow(`at most ${MAX_PUT_TASKS}`);
});
