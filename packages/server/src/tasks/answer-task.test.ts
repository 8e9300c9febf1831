import { expect, test } from "vitest";
import { SamovarError, toSerializedError } from "@samovar/protocol";
import { answerSink, outcomeOf, startOf } from "./answer-task.ts";
import { recordOf } from "./tasks.fixture.ts";

const JSON_HEAD = '[200,[["content-type","application/json"]]]';

test("a task that isn't over has no outcome", () => {
  for (const status of ["PENDING", "RUNNING", "RETRY"] as const) expect(outcomeOf(recordOf({ status }))).toBeNull();
});

test("a result is what the worker answered, head and body", () => {
  const outcome = outcomeOf(recordOf({ status: "COMPLETE", result: { encoding: JSON_HEAD, bytes: Buffer.from("42") } }));
  expect(outcome).toMatchObject({ kind: "result", head: { status: 200, headers: [["content-type", "application/json"]] } });
  expect(outcome?.kind === "result" && outcome.body.toString()).toBe("42");
});

test("what the handler threw is raised again as it was; what Samovar raised keeps its code", () => {
  const thrown = { name: "RangeError", message: "too far" };
  expect(outcomeOf(recordOf({ status: "ERROR", error: thrown }))).toMatchObject({ failure: { thrown, error: { code: "handler_error" } } });
  const ours = toSerializedError(new SamovarError("container_lost", "exit 3", { fields: { reason: "exit 3" } }));
  expect(outcomeOf(recordOf({ status: "ERROR", error: ours }))).toMatchObject({
    failure: { thrown: null, error: { code: "container_lost", fields: { reason: "exit 3" } } },
  });
});

test("a result that is gone, and one of a call, which was never kept, are told apart", () => {
  const gone = (durable: boolean): string => {
    const outcome = outcomeOf(recordOf({ status: "COMPLETE", durable }));
    return outcome?.kind === "failure" ? `${outcome.failure.error.code}: ${outcome.failure.error.message}` : "";
  };
  expect(gone(true)).toBe("not_found: The result of task tk_1 is no longer kept");
  expect(gone(false)).toMatch(/^not_found: tk_1 was a call of resize, which was given its result/);
});

test("cancelled and expired tasks say so", () => {
  expect(outcomeOf(recordOf({ status: "CANCELLED" }))).toMatchObject({ failure: { error: { code: "cancelled" } } });
  expect(outcomeOf(recordOf({ status: "EXPIRED" }))).toMatchObject({ failure: { error: { code: "expired" } } });
});

test("a result of items is told as a stream, any other in one piece", () => {
  const told: string[] = [];
  const sink = {
    started() {},
    result: () => void told.push("result"),
    head: () => void told.push("head"),
    data: (chunk: Buffer) => {
      told.push(chunk.toString());
      return true;
    },
    end: () => void told.push("end"),
    error: () => void told.push("error"),
  };
  const head = { status: 200, headers: [] };
  answerSink(sink, { kind: "result", head, body: Buffer.from("whole") });
  answerSink(sink, { kind: "result", head: { ...head, items: true }, body: Buffer.from("1\n2\n") });
  expect(told).toEqual(["result", "head", "1\n2\n", "end"]);
});

test("the attempt that ended it is told as a call's start is; one that never had a container isn't", () => {
  const attempt = { number: 2, version: 3, containerId: "ct_1", startedAtMs: 1_500, endedAtMs: 2_000, outcome: "complete", error: null } as const;
  expect(startOf(recordOf({ status: "COMPLETE", attempts: [attempt] }))).toMatchObject({ containerId: "ct_1", version: 3, queuedMs: 500, coldStart: false });
  expect(startOf(recordOf({ status: "ERROR", attempts: [{ ...attempt, containerId: "" }] }))).toBeNull();
  expect(startOf(recordOf({ status: "EXPIRED" }))).toBeNull();
});
