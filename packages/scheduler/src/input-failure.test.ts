import { expect, test } from "vitest";
import type { Attempt } from "./attempt.ts";
import { failureOf } from "./input-failure.ts";

const ATTEMPT = { worker: { container: { id: "ct_1" } }, input: { attempts: 2 } } as unknown as Attempt;

test.for([
  [null, "The container was stopped before resize was done; call again"],
  [
    "A call of the handler was cut off with the connection to the server",
    "resize was not done: A call of the handler was cut off with the connection to the server; call again",
  ],
] as const)("what was given back says why (%s)", ([reason, message]) => {
  const { error, containerId, attempt } = failureOf({ kind: "drained", reason }, ATTEMPT, "resize");
  expect({ code: error.code, message: error.message, containerId, attempt }).toEqual({ code: "drained", message, containerId: "ct_1", attempt: 2 });
});
