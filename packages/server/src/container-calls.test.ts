import { expect, test } from "vitest";
import { createCountingIds, type CallHead, type ErrorMessage } from "@samovar/protocol";
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

/** The error that a call from a container of `mine`, `model` and `gone` ends with: none of them gets a container. */
function call(head: Partial<CallHead>): Promise<ErrorMessage> {
  return new Promise((resolve, reject) => {
    const unexpected = (): never => {
      reject(new Error("It was answered"));
      throw new Error("It was answered");
    };
    const reply: CallReply = { error: resolve, result: unexpected, head: unexpected, data: unexpected, end: unexpected };
    createContainerCalls(registry, ids)(containerOf(mine, model, gone), { functionName: "", streaming: false, ...head }, Buffer.alloc(0), reply);
  });
}

test("functions of the same deploy are reached, by name and by id", async () => {
  for (const head of [{ functionName: "mine" }, { functionName: "mine", functionId: mine.functionId }, { functionName: "model", method: "run" }]) {
    expect(await call(head)).toMatchObject({ error: { code: "start_failed" } });
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
