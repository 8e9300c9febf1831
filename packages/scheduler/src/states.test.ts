import { expect, test } from "vitest";
import { CONTAINER_TRANSITIONS, WORKER_TRANSITIONS, nextContainerState, nextWorkerState } from "./states.ts";

/** What can be reached from a state by any events. */
function reachable(table: Readonly<Record<string, Readonly<Record<string, string>>>>, from: string): Set<string> {
  const found = new Set<string>();
  const visit = (state: string): void => {
    for (const next of Object.values(table[state]!)) {
      if (found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  visit(from);
  return found;
}

test("every container can end from every state, and never comes back", () => {
  for (const state of Object.keys(CONTAINER_TRANSITIONS)) if (state !== "ended") expect(reachable(CONTAINER_TRANSITIONS as never, state)).toContain("ended");
  expect(reachable(CONTAINER_TRANSITIONS as never, "ended")).toEqual(new Set());
});

test("a container that drains or stops never takes inputs again", () => {
  for (const state of ["draining", "stopping"]) expect(reachable(CONTAINER_TRANSITIONS as never, state)).not.toContain("ready");
});

test("a worker that retires or stops takes inputs again only as a new process", () => {
  for (const state of ["retiring", "stopping"] as const) {
    expect(nextWorkerState(state, "ready")).toBeUndefined();
    expect(nextWorkerState(state, "gone")).toBe("gone");
  }
  expect(WORKER_TRANSITIONS.gone).toEqual({ respawn: "starting" });
});

test("stale events change nothing", () => {
  expect(nextContainerState("ended", "all-ready")).toBeUndefined();
  expect(nextContainerState("stopping", "drain")).toBeUndefined();
  expect(nextContainerState("draining", "drain")).toBeUndefined();
});
