import { expect, test } from "vitest";
import {
  SamovarError,
  createCountingIds,
  decodeValue,
  encodeValue,
  type CallHead,
  type ErrorMessage,
  type FunctionInfo,
  type ScalingPatch,
} from "@samovar/protocol";
import { FakeClock } from "@samovar/kit";
import type { CallReply, Container, FunctionRuntime } from "@samovar/scheduler";
import { createContainerCalls } from "./container-calls.ts";
import { FunctionRegistry } from "./apps/function-registry.ts";
import { functionOf } from "./testing/app.fixture.ts";

const ids = createCountingIds();
const registry = new FunctionRegistry();
const mine = functionOf("mine", { ids });
const model = functionOf("model", { ids, kind: "cls" });
const foreign = functionOf("foreign", { ids, app: "other" });
registry.replace([], [mine, model, foreign], true);
const gone = functionOf("gone", { ids });

/** A container of a deploy that has these functions; calls ask nothing else of it. */
const containerOf = (...functions: readonly FunctionRuntime[]): Container =>
  ({ plan: { load: { functionIds: Object.fromEntries(functions.map((entry) => [entry.name, entry.functionId])) } } }) as unknown as Container;

const scaled: [functionId: string, patch: ScalingPatch][] = [];
const unused = (): never => {
  throw new Error("Nobody asks for this here");
};
const clock = new FakeClock();
const noTasks = { registry, ids, clock, tasks: unused, scale: unused };

/** The error that a call from a container of `mine`, `model` and `gone` ends with: none of them gets a container. */
function call(head: Partial<CallHead>, body: Buffer = Buffer.alloc(0)): Promise<ErrorMessage> {
  return new Promise((resolve, reject) => {
    const unexpected = (): never => {
      reject(new Error("It was answered"));
      throw new Error("It was answered");
    };
    const reply: CallReply = { error: resolve, result: unexpected, head: unexpected, data: unexpected, end: unexpected };
    createContainerCalls(noTasks)(containerOf(mine, model, gone), { functionName: "", streaming: false, ...head }, body, reply);
  });
}

/** What a change of scaling from such a container is answered with. */
function scale(functionName: string, patch: unknown, take: (patch: ScalingPatch) => FunctionInfo): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const unexpected = (): never => {
      throw new Error("It was answered as a stream");
    };
    const reply: CallReply = {
      error: ({ error }) => reject(Object.assign(new Error(error.message), { code: error.code })),
      result: (head, body) => resolve([head.status, decodeValue(body)]),
      head: unexpected,
      data: unexpected,
      end: unexpected,
    };
    const scale = async (functionId: string, change: ScalingPatch): Promise<FunctionInfo> => {
      scaled.push([functionId, change]);
      return take(change);
    };
    const calls = createContainerCalls({ ...noTasks, scale });
    calls(containerOf(mine, model, gone), { kind: "scale", functionName, streaming: false }, encodeValue(patch), reply);
  });
}

test("functions of the same deploy are reached, by name and by id", async () => {
  for (const head of [{ functionName: "mine" }, { functionName: "mine", functionId: mine.functionId }, { functionName: "model", method: "run" }]) {
    const { error } = await call(head);
    expect(error).toMatchObject({ code: "start_failed" });
    // Where in the server it was raised is nobody's business but the server's.
    expect(error).not.toHaveProperty("stack");
  }
});

test("functions of other deploys are not, though they are there", async () => {
  for (const head of [
    { functionName: "foreign" },
    { functionName: "foreign", functionId: foreign.functionId },
    { functionName: "mine", functionId: foreign.functionId },
  ]) {
    expect(await call(head)).toMatchObject({ error: { code: "not_found" }, retryable: false });
  }
});

test("nor are names that every object has, unknown ids, or functions that were replaced", async () => {
  for (const head of [{ functionName: "constructor" }, { functionName: "toString" }, { functionName: "mine", functionId: "fn_99" }, { functionName: "gone" }]) {
    expect(await call(head)).toMatchObject({ error: { code: "not_found" } });
  }
});

test("a class is called by one of its methods", async () => {
  for (const method of [undefined, "missing", "constructor"]) {
    expect(await call({ functionName: "model", ...(method === undefined ? {} : { method }) })).toMatchObject({ error: { code: "not_found" } });
  }
});

test("a function of the same deploy is scaled, a class as a whole", async () => {
  scaled.length = 0;
  expect(await scale("mine", { minContainers: 2, maxContainers: null }, () => mine.info())).toEqual([200, mine.info()]);
  await scale("model", { scaledownWindowMs: null }, () => model.info());
  expect(scaled).toEqual([
    [mine.functionId, { minContainers: 2, maxContainers: null }],
    [model.functionId, { scaledownWindowMs: null }],
  ]);
});

test("functions of other deploys are not scaled, nor is anything by what is no change", async () => {
  scaled.length = 0;
  const refused = (functionName: string, patch: unknown): Promise<unknown> =>
    scale(functionName, patch, () => mine.info()).catch((error: { code: string }) => error.code);
  for (const name of ["foreign", "gone", "constructor"]) expect(await refused(name, { minContainers: 1 })).toBe("not_found");
  for (const patch of [null, [], { minContainers: "1" }, { minContainers: 2, maxContainers: 1 }, { cpu: 2 }])
    expect(await refused("mine", patch)).toBe("invalid_option");
  expect(await call({ kind: "scale", functionName: "mine" })).toMatchObject({ error: { code: "invalid_option" } });
  expect(await call({ kind: "scale", functionName: "mine" }, Buffer.from([0xc1]))).toMatchObject({ error: { code: "protocol_error" } });
  expect(await call({ kind: "stop" as never, functionName: "mine" })).toMatchObject({ error: { code: "protocol_error" } });
  expect(scaled).toEqual([]);
});

test("what the server says of a change reaches the caller", async () => {
  const refusal = new SamovarError("invalid_option", "minContainers is 3 and maxContainers is 1: lower the floor, or raise the ceiling");
  const answer = scale("mine", { minContainers: 3 }, () => {
    throw refusal;
  });
  await expect(answer).rejects.toMatchObject({ code: "invalid_option", message: refusal.message });
});
