import { expect, test } from "vitest";
import type { PhaseEvent } from "@samovar/protocol";
import { renderWaterfall } from "./waterfall.ts";

const phase = (name: PhaseEvent["phase"], startedAtMs: number, durationMs: number, over: Partial<PhaseEvent> = {}): PhaseEvent => ({
  phase: name,
  workerIndex: 0,
  hook: null,
  startedAtMs,
  durationMs,
  outcome: "ok",
  detail: null,
  ...over,
});

test("what failed and what was skipped is said beside its bar, with the reason below", () => {
  const phases = [
    phase("create", 1_000, 30, { workerIndex: null }),
    phase("load", 1_030, 70),
    phase("start", 1_100, 200, { hook: "loadModel", outcome: "failed", detail: "Error: no model\n    at app.ts:3" }),
    phase("start", 1_300, 0, { hook: "connect", outcome: "skipped" }),
  ];
  expect(renderWaterfall({ phases }, { width: 70 })).toMatchInlineSnapshot(`
    "Start 300 ms
      create              ███▊                                     30 ms
      load w0                █████████▋                            70 ms
      start loadModel w0              ██████████████████████████  200 ms  failed
                          Error: no model
      start connect w0                                         ▏    0 ms  skipped
    "
  `);
});

test("a phase of no time at the very end still has a bar within the width", () => {
  const text = renderWaterfall({ phases: [phase("create", 0, 100), phase("ready", 100, 0)] }, { width: 60 });
  expect(text.split("\n")[2]).toContain("▏");
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
});

test("an end that comes much later has a scale of its own", () => {
  const text = renderWaterfall({ phases: [phase("load", 0, 50), phase("stop", 3_600_000, 20)] });
  expect(text).toContain("Start 50 ms");
  expect(text).toContain("End 20 ms");
});

test("nothing is drawn of a container that has no phase yet", () => {
  expect(renderWaterfall({ phases: [] })).toBe("No phase has ended yet\n");
});

test("all phases at one instant are drawn", () => {
  expect(renderWaterfall({ phases: [phase("load", 5, 0)] })).toContain("load w0");
});
