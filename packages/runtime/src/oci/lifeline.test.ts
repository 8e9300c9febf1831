import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { PipeReader } from "../container-pipes.ts";
import { Lifeline, parseEnd } from "./lifeline.ts";

test.for([
  ["an exit", "ended 3\n", { code: 3, signal: null }],
  ["a clean exit", "ended 0\n", { code: 0, signal: null }],
  ["a signal that the shell names", "Segmentation fault\nended 139\n", { code: null, signal: "SIGSEGV" }],
  ["a signal as another shell names it", "sh: line 2:     7 Killed    ( …\nended 137\n", { code: null, signal: "SIGKILL" }],
  ["an exit with a signal's status", "ended 137\n", { code: 137, signal: null }],
  ["a signal of which shells say nothing", "ended 130\n", { code: null, signal: "SIGINT" }],
  ["a status beyond all signals", "ended 255\n", { code: 255, signal: null }],
  ["nothing yet", "Killed\nend", null],
] as const)("the shell's words are read: %s", ([, text, end]) => {
  expect(parseEnd(text)).toEqual(end);
});

test("words may come in any pieces, and the program's end only after its start", async () => {
  const stream = new PassThrough();
  const lifeline = new Lifeline(new PassThrough(), new PipeReader(stream));
  for (const piece of ["rea", "dy\nKil", "led\nended 1", "37\n"]) stream.emit("data", Buffer.from(piece));
  await lifeline.ready;
  expect(await lifeline.ended).toEqual({ code: null, signal: "SIGKILL" });
});

test("a lifeline that breaks before init was there is a start that failed; the end of all is the main program's", async () => {
  const stream = new PassThrough();
  const lifeline = new Lifeline(new PassThrough(), new PipeReader(stream));
  stream.destroy();
  await expect(lifeline.ready).rejects.toThrow(/ended before its first process ran/);
  expect(await lifeline.ended).toBeNull();
  await lifeline.closed;
});
