import { expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { Screen } from "./screen.ts";

function setUp(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, columns: 40, write: (chunk: string | Uint8Array) => void written.push(String(chunk)) };
  const clock = new FakeClock();
  return { written, clock, screen: new Screen({ stdout: stream, stderr: stream, clock }, false) };
}

test("work that is done soon is not shown", () => {
  const { written, clock, screen } = setUp(true);
  const progress = screen.progress("Loading");
  clock.advance(200);
  progress.done();
  expect(written).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("work that lasts is shown on a terminal; what is written meanwhile takes its place", () => {
  const { written, clock, screen } = setUp(true);
  const progress = screen.progress("Loading");
  clock.advance(300);
  expect(written).toEqual(["\r\u001b[2K⠋ Loading"]);
  screen.note("hello");
  expect(written.slice(1)).toEqual(["\r\u001b[2K", "hello\n"]);
  progress.update("Still");
  clock.advance(80);
  expect(written.at(-1)).toBe("\r\u001b[2K⠙ Still");
  progress.done();
  expect(written.at(-1)).toBe("\r\u001b[2K");
  expect(clock.pending).toBe(0);
});

test("nothing is drawn where there is no terminal", () => {
  const { written, clock, screen } = setUp(false);
  screen.progress("Loading");
  clock.advance(5_000);
  expect(written).toEqual([]);
});

test("colours follow the terminal, unless the user says otherwise", () => {
  const stream = { isTTY: true, write: () => {} };
  const io = { stdout: stream, stderr: { ...stream, isTTY: false }, clock: new FakeClock() };
  expect(new Screen(io, undefined).colors.enabled).toBe(true);
  expect(new Screen(io, undefined).noteColors.enabled).toBe(false);
  expect(new Screen(io, false).colors.enabled).toBe(false);
  expect(new Screen(io, true).noteColors.enabled).toBe(true);
});
