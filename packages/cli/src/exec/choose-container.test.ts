import type { ContainerInfo } from "@samovar/protocol";
import { expect, test } from "vitest";
import { containerInfo, functionInfo } from "../control-server.fixture.ts";
import { chooseContainer } from "./choose-container.ts";

const container = (id: string, over: Partial<ContainerInfo> = {}): ContainerInfo => containerInfo({ id, endedAtMs: null, ...over });

test.for([
  ["the newest", [container("ct_old", { startedAtMs: 1 }), container("ct_new", { startedAtMs: 2 })], "ct_new"],
  [
    "one that takes inputs before a newer one that doesn't yet",
    [container("ct_ready", { startedAtMs: 1 }), container("ct_new", { startedAtMs: 2, state: "starting" })],
    "ct_ready",
  ],
  [
    "one that starts before one that drains",
    [container("ct_drains", { startedAtMs: 2, state: "draining" }), container("ct_starts", { startedAtMs: 1, state: "starting" })],
    "ct_starts",
  ],
  ["one of that function", [container("ct_other", { startedAtMs: 9, function: "other" }), container("ct_own", { startedAtMs: 1 })], "ct_own"],
] as const)("a name means %s", ([, containers, id]) => {
  expect(chooseContainer("predict", containers, []).id).toBe(id);
});

test("a name that only serve serves may be given without its suffix", () => {
  expect(chooseContainer("predict", [container("ct_dev", { function: "predict-dev" })], []).id).toBe("ct_dev");
});

test("without a name there must be one container in all", () => {
  expect(chooseContainer(undefined, [container("ct_1")], []).id).toBe("ct_1");
  expect(() => chooseContainer(undefined, [], [])).toThrow("No container lives");
  expect(() => chooseContainer(undefined, [container("ct_1"), container("ct_2")], [])).toThrow("2 containers live: ct_1 (predict), ct_2 (predict)");
});

test("a function without containers, and a name that is none, are told apart", () => {
  expect(() => chooseContainer("predict", [], [functionInfo()])).toThrow("No container of predict lives");
  expect(() => chooseContainer("predct", [], [functionInfo()])).toThrow(
    expect.objectContaining({ message: 'No function is named "predct"', fields: { fix: "Did you mean predict?" } }),
  );
  expect(() => chooseContainer("model", [], [functionInfo()])).toThrow(expect.objectContaining({ fields: { fix: expect.stringContaining("FILE:NAME") } }));
});
