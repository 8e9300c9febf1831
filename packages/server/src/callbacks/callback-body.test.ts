import { expect, test } from "vitest";
import { MAX_CALLBACK_RESULT_BYTES, toCallbackBody } from "./callback-body.ts";
import { sampleTask } from "./callbacks.fixture.ts";

test.each([
  ["COMPLETE", "task.completed"],
  ["ERROR", "task.failed"],
  ["TIMEOUT", "task.timed-out"],
  ["CANCELLED", "task.cancelled"],
  ["EXPIRED", "task.expired"],
  ["PENDING", undefined],
  ["RUNNING", undefined],
  ["RETRY", undefined],
] as const)("%s is told as %s", (status, type) => {
  expect(toCallbackBody(sampleTask("tk_1", { status }))?.type).toBe(type);
});

test("a task is told with its result, and with nothing of its input", () => {
  expect(toCallbackBody(sampleTask("tk_1", { input: "secret" }))).toEqual({
    type: "task.completed",
    timestamp: "1970-01-01T00:00:02.000Z",
    data: {
      id: "tk_1",
      function: "work",
      app: "shop",
      version: 3,
      status: "COMPLETE",
      attempts: [expect.objectContaining({ number: 1, outcome: "complete" })],
      result: { total: 42 },
      resultType: "application/json",
      error: null,
    },
  });
});

test("a result over 256 KiB is left out, and the note says where it is", () => {
  const size = (length: number) => toCallbackBody(sampleTask("tk_1", { result: "é".repeat(length) }))!.data;
  expect(size(MAX_CALLBACK_RESULT_BYTES / 2 - 1)).toHaveProperty("result");
  const { note, resultType, ...data } = size(MAX_CALLBACK_RESULT_BYTES / 2);
  expect(data).not.toHaveProperty("result");
  expect([resultType, note]).toEqual(["application/json", expect.stringContaining("GET /api/v1/tasks/tk_1/result")]);
});

test("a result that is null or false is one, and none is none", () => {
  for (const result of [null, false, 0, ""]) expect(toCallbackBody(sampleTask("tk_1", { result }))!.data.result).toBe(result);
  expect(toCallbackBody(sampleTask("tk_1", { result: undefined }))!.data).not.toHaveProperty("result");
});

test("errors are told without stacks and fields, and no longer than needed", () => {
  const deep = (depth: number): any => ({
    name: "Error",
    message: `m${depth}`,
    stack: "at x",
    fields: { a: 1 },
    ...(depth < 9 ? { cause: deep(depth + 1) } : {}),
  });
  const error = { ...deep(0), message: "x".repeat(10_000), code: "timeout" };
  const attempts = Array.from({ length: 50 }, (_, at) => ({
    number: at + 1,
    version: 1,
    containerId: "ct_1",
    startedAtMs: 1,
    endedAtMs: 2,
    outcome: "error" as const,
    error,
  }));
  const { data } = toCallbackBody(sampleTask("tk_1", { status: "ERROR", error, attempts }))!;
  expect(data.error).toMatchObject({ name: "Error", code: "timeout", cause: { message: "m1", cause: { message: "m2", cause: { message: "m3" } } } });
  expect(data.error!.message).toHaveLength(4_096);
  expect(data.attempts.map(({ number }) => number)).toEqual(Array.from({ length: 32 }, (_, at) => at + 19));
  const text = JSON.stringify(data);
  expect([text.includes("stack"), text.includes("fields"), text.includes("m4")]).toEqual([false, false, false]);
});
