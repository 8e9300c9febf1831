import { expect, test } from "vitest";
import { manifestOf } from "../testing/app.fixture.ts";
import { appRollbackTargets, assertOwned, rollbackTarget, selectFunctions, warmUpPlan, type DeploymentSnapshot } from "./decisions.ts";

const app = (...names: string[]) => ({ manifestVersion: 1 as const, app: "shop", functions: names.map((name) => manifestOf(name)), hasMain: false });

/** Versions 1 … n, of the deploys that are named. */
const deployment = (name: string, activeVersion: number, deploys: Record<number, number>, owner = "shop"): DeploymentSnapshot => ({
  name,
  app: owner,
  activeVersion,
  versions: Object.entries(deploys).map(([version, deploy]) => ({
    version: Number(version),
    app: owner,
    deployId: `dp_${deploy}`,
    deployedAtMs: deploy * 1_000,
  })),
});

test("all functions of a module are deployed, or those that are named", () => {
  expect(selectFunctions(app("a", "b"), undefined).functions.map(({ name }) => name)).toEqual(["a", "b"]);
  expect(selectFunctions(app("a", "b"), ["b"]).functions.map(({ name }) => name)).toEqual(["b"]);
});

test.each([
  [app("a", "b"), ["c"], "The module has no function c: it has a, b"],
  [app(), undefined, "defines no function"],
  [app("id"), undefined, `"id" is reserved`],
  [app("api--2"), undefined, "api--2.localhost"],
])("what can't be deployed is refused with its reason", (manifest, only, message) => {
  expect(() => selectFunctions(manifest, only)).toThrow(message);
});

test("a name of another app is refused with both apps and a free name, unless it is taken on purpose", () => {
  const ownerOf = (name: string): string | undefined => ({ predict: "models", mine: "shop" })[name];
  expect(() => assertOwned("shop", ["mine", "new", "predict"], ownerOf, false)).toThrow(
    expect.objectContaining({ code: "conflict", message: expect.stringMatching(/predict belongs to the app models.*app shop.*shop-predict.*--take-over/) }),
  );
  assertOwned("shop", ["mine", "new"], ownerOf, false);
  assertOwned("shop", ["predict"], ownerOf, true);
});

test("a rollback goes to the newest version before the active one, past those that were deleted, or to the one asked for", () => {
  const api = deployment("api", 4, { 1: 1, 2: 2, 4: 4, 5: 5 });
  expect(rollbackTarget(api, null)).toBe(2);
  expect(rollbackTarget(api, 5)).toBe(5);
});

test("a rollback to a version that is not there says which ones are", () => {
  const api = deployment("api", 4, { 1: 1, 4: 4 });
  expect(() => rollbackTarget(api, 3)).toThrow("api has no version 3: it was deleted, or never was; there are 4, 1");
  expect(() => rollbackTarget(deployment("api", 1, { 1: 1, 2: 2 }), null)).toThrow("api has no version before 1");
});

test("a version of another app, which had the name before, is not gone back to", () => {
  const own = deployment("api", 3, { 1: 1, 3: 3 });
  const taken = { ...own, versions: [...own.versions, { version: 2, app: "blog", deployId: "dp_2", deployedAtMs: 2_000 }] };
  expect(rollbackTarget(taken, null)).toBe(1);
  expect(() => rollbackTarget(taken, 2)).toThrow("Version 2 of api is of the app blog");
});

test("an app goes back to what it was before its last deploy: a function that came with that stays", () => {
  const all = [
    deployment("api", 2, { 1: 1, 2: 3 }),
    deployment("worker", 2, { 1: 1, 2: 3 }),
    deployment("later", 1, { 1: 3 }),
    deployment("other", 5, { 5: 2 }, "blog"),
  ];
  expect(appRollbackTargets("shop", all)).toEqual([
    { name: "api", version: 1 },
    { name: "worker", version: 1 },
  ]);
});

test("after a deploy of one function only, that one goes back; what was rolled back by hand is left alone", () => {
  const partial = [deployment("api", 3, { 1: 1, 2: 2, 3: 3 }), deployment("worker", 2, { 1: 1, 2: 2 })];
  expect(appRollbackTargets("shop", partial)).toEqual([{ name: "api", version: 2 }]);
  const byHand = [deployment("api", 1, { 1: 1, 2: 2 }), deployment("worker", 2, { 1: 1, 2: 2 })];
  expect(appRollbackTargets("shop", byHand)).toEqual([{ name: "worker", version: 1 }]);
});

test("an app that was rolled back goes further back, and no further than its first deploy", () => {
  const back = [deployment("api", 2, { 1: 1, 2: 2, 3: 3 })];
  expect(appRollbackTargets("shop", back)).toEqual([{ name: "api", version: 1 }]);
  expect(() => appRollbackTargets("shop", [deployment("api", 1, { 1: 1, 2: 2 })])).toThrow("no deploy before the active one");
  expect(() => appRollbackTargets("none", back)).toThrow("Nothing of an app none is deployed");
});

test.each([
  ["nothing ran before: one", {}, {}, { "[]": 1 }],
  ["as many as are busy", { "[]": 3 }, {}, { "[]": 3 }],
  ["never more than its ceiling", { "[]": 9 }, { maxContainers: 4 }, { "[]": 4 }],
  ["pools of other arguments as they are busy", { '["a"]': 2 }, {}, { "[]": 1, '["a"]': 2 }],
  ["a class that needs arguments: none by itself", {}, { requiresParameters: true }, {}],
  ["a class that needs arguments: as it is busy", { '["a"]': 1 }, { requiresParameters: true }, { '["a"]': 1 }],
])("before a new version takes over it has %s", (_, busy, options, plan) => {
  const made = warmUpPlan(new Map(Object.entries(busy as Record<string, number>)), {
    maxContainers: null,
    requiresParameters: false,
    defaultPool: "[]",
    ...options,
  });
  expect(Object.fromEntries(made)).toEqual(plan);
});
