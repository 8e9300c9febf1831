import { expect, test } from "vitest";
import { UNKNOWN_END, toExitStatus } from "./exit-status.ts";
import { HeapExhaustion } from "./heap-exhaustion.ts";

const evidence = { code: null, signal: null, killedByUs: false, oomKills: 0, heapExhausted: false };

test("an exit code is an exit, whatever happened to memory before", () => {
  expect(toExitStatus({ ...evidence, code: 3, oomKills: 1, heapExhausted: true })).toEqual({ kind: "exit", code: 3, signal: null });
});

test("SIGKILL is oom only where the kernel counted one and we sent none", () => {
  expect(toExitStatus({ ...evidence, signal: "SIGKILL", oomKills: 1 }).kind).toBe("oom");
  expect(toExitStatus({ ...evidence, signal: "SIGKILL" }).kind).toBe("signal");
  expect(toExitStatus({ ...evidence, signal: "SIGKILL", oomKills: 1, killedByUs: true }).kind).toBe("signal");
});

test("an abort is oom only where V8 said so", () => {
  expect(toExitStatus({ ...evidence, signal: "SIGABRT", heapExhausted: true }).kind).toBe("oom");
  expect(toExitStatus({ ...evidence, signal: "SIGABRT", oomKills: 1 }).kind).toBe("signal");
  expect(toExitStatus({ ...evidence, signal: "SIGSEGV", heapExhausted: true }).kind).toBe("signal");
});

test("V8's line is found however it is cut, and counted once", () => {
  const text = Buffer.from("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n----- Native stack trace -----\n");
  for (let cut = 0; cut <= text.length; cut++) {
    const heap = new HeapExhaustion();
    heap.push(text.subarray(0, cut));
    heap.push(text.subarray(cut));
    heap.push(Buffer.from("more"));
    expect(heap.count).toBe(1);
  }
});

test("V8's line that comes byte by byte is found", () => {
  const heap = new HeapExhaustion();
  for (const byte of Buffer.from("x JavaScript heap out of memory y")) heap.push(Buffer.from([byte]));
  expect(heap.count).toBe(1);
});

test("an end that nobody can tell is lost, and oom where memory ran out", () => {
  expect(toExitStatus({ ...evidence, ...UNKNOWN_END })).toEqual({ kind: "lost", code: null, signal: null });
  expect(toExitStatus({ ...evidence, ...UNKNOWN_END, oomKills: 1 }).kind).toBe("oom");
  expect(toExitStatus({ ...evidence, ...UNKNOWN_END, heapExhausted: true }).kind).toBe("oom");
});
