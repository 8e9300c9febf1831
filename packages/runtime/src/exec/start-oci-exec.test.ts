import { expect, test } from "vitest";
import { toInnerExit } from "./start-oci-exec.ts";

test.for([
  [0, { kind: "exit", code: 0, signal: null }],
  [3, { kind: "exit", code: 3, signal: null }],
  [128, { kind: "exit", code: 128, signal: null }],
  [137, { kind: "signal", code: null, signal: "SIGKILL" }],
  [143, { kind: "signal", code: null, signal: "SIGTERM" }],
  [255, { kind: "exit", code: 255, signal: null }],
] as const)("a runtime's exit code %i is its program's end", ([code, expected]) => {
  expect(toInnerExit({ kind: "exit", code, signal: null })).toEqual(expected);
});

test("a runtime that was killed is told as its program's end", () => {
  expect(toInnerExit({ kind: "signal", code: null, signal: "SIGKILL" })).toEqual({ kind: "signal", code: null, signal: "SIGKILL" });
});
