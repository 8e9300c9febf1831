import { expect, test } from "vitest";
import { createColors } from "./colors.ts";
import { displayWidth, padDisplay } from "./display-width.ts";
import { formatDuration } from "./durations.ts";
import { renderLogLine } from "./log-printer.ts";
import { toShownResult } from "./result-json.ts";
import { renderTable } from "./table.ts";
import { logLine } from "../control-server.fixture.ts";

test.each([
  [0, "0 ms"],
  [0.44, "0.4 ms"],
  [31.4, "31 ms"],
  [999.4, "999 ms"],
  [999.7, "1 s"],
  [1_254, "1.25 s"],
  [59_949, "59.9 s"],
  [59_960, "1 min"],
  [3_600_000, "1 h"],
  [5_400_000, "1.5 h"],
  [432_000_000, "5 d"],
])("%d ms is shown as %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("colours take no columns, and a letter with an accent takes one", () => {
  const { red } = createColors(true);
  expect(displayWidth(red("abc"))).toBe(3);
  expect(displayWidth("cafe\u0301")).toBe(4);
  expect(padDisplay(red("a"), 3)).toBe(`${red("a")}  `);
});

test("colours that are off leave text as it is", () => {
  expect(createColors(false).red("a")).toBe("a");
});

test("a table's columns line up under painted cells", () => {
  const { green } = createColors(true);
  const text = renderTable(
    [
      ["a", "1"],
      [green("bbb"), "22"],
    ],
    [
      { title: "N", cell: (row) => row[0]! },
      { title: "C", align: "right", cell: (row) => row[1]! },
    ],
  );
  expect(text).toBe(`N     C\na     1\n${green("bbb")}  22\n`);
});

test("a log line of stderr is red, one of a hook carries the hook's name", () => {
  const colors = createColors(true);
  expect(renderLogLine(logLine({ stream: "stderr", text: "bad\n" }), colors)).toContain(colors.red("bad"));
  expect(renderLogLine(logLine({ source: { kind: "hook", hook: "load", phase: "start" } }), createColors(false))).toBe("[predict load] hello\n");
});

test.each([
  [{ a: [1, "x\ny"] }, '{"a":[1,"x\\ny"]}\n'],
  ["text", '"text"\n'],
  [undefined, "null\n"],
  [null, "null\n"],
])("%j as a result is one line of JSON", (value, text) => {
  expect(toShownResult(value, false)).toEqual({ kind: "line", text });
});

test("bytes go out as they are, except to a terminal", () => {
  const bytes = new Uint8Array([1, 2]);
  expect(toShownResult(bytes, false)).toEqual({ kind: "bytes", bytes });
  expect(() => toShownResult(bytes, true)).toThrow("The result is 2 bytes, which a terminal can't show");
});

test("what JSON would change is refused with its path and what to send", () => {
  expect(() => toShownResult({ at: new Date(0) }, false)).toThrow("$.at is a Date. Send it.toISOString()");
  expect(() => toShownResult([new Map()], false)).toThrow("$[0] is a Map");
});
