import { expect, test } from "vitest";
import { createCountingIds } from "@samovar/protocol";
import { FunctionRegistry } from "../apps/function-registry.ts";
import { functionOf } from "../testing/app.fixture.ts";
import { describeUnserved, toServedBases } from "./served-bases.ts";

test("a deployment serves its name and each of its versions; one that has no route yet serves nothing", () => {
  const registry = new FunctionRegistry();
  const ids = createCountingIds();
  const work = functionOf("Work", { ids });
  registry.replace([], [work], true);
  registry.add(functionOf("coming", { ids }));
  expect([...toServedBases(registry)]).toEqual([
    ["work", work],
    ["work@1", work],
  ]);
});

test.each([
  ["work", false, "nothing is deployed as work any more: deploy it again"],
  ['work@2["a@b/c"]', false, "version 2 of work was deleted, and the task is for that one alone"],
  ["ss_1/work", false, "nobody serves work any more: the session that did is over, and what it left is run by no other"],
  ["work", true, "work is served by a server that stays: samovar up"],
])("why nobody takes what is in %s, embedded: %j", (queue, embedded, reason) => {
  expect(describeUnserved(queue, "work", undefined, embedded)).toBe(reason);
});

test("what is stopped is not gone, and is told how it is started", () => {
  expect(describeUnserved("work", "work", functionOf("work"), false)).toBe("work is stopped: samovar deployment start work");
});
