import { expect, test } from "vitest";
import type { Finding } from "./finding.ts";
import { formatNumber, renderTable } from "./table.ts";

const throughput: Finding = {
  id: "throughput",
  title: "throughput, 32 connections",
  unit: "calls/s",
  figures: { samovar: { min: 1, median: 20_500, max: 3 }, bare: { min: 1, median: 40_000.4, max: 3 } },
  judged: { what: "× bare", spread: { min: 0.41, median: 0.5124, max: 0.6 } },
  aim: { at: "least", value: 0.5 },
};

test("a row has the medians, the spread of what is judged, the aim and the verdict", () => {
  expect(renderTable([throughput])).toBe(
    [
      "                                   samovar       bare Node  judged (least … greatest)     aim",
      "throughput, 32 connections  20,500 calls/s  40,000 calls/s  × bare 0.512 (0.410 … 0.600)  ≥ 0.5  met",
      "",
    ].join("\n"),
  );
});

test("each target has one column, also where only some of the findings have it", () => {
  const spread = { min: 1, median: 2, max: 3 };
  const cold: Finding = {
    ...throughput,
    title: "cold start",
    unit: "ms",
    figures: { samovar: spread, docker: spread, podman: spread },
    judged: null,
    aim: null,
  };
  expect(renderTable([cold, { ...cold, title: "p99", figures: { samovar: spread, bare: spread } }])).toBe(
    [
      "            samovar  bare Node  docker run   podman  judged (least … greatest)  aim",
      "cold start  2.00 ms                2.00 ms  2.00 ms",
      "p99         2.00 ms    2.00 ms",
      "",
    ].join("\n"),
  );
});

test("the median decides, whatever the spread reaches", () => {
  const slower = { ...throughput, judged: { what: "× bare", spread: { min: 0.1, median: 0.49, max: 0.9 } } };
  expect(renderTable([slower], (verdict, text) => `<${verdict}:${text}>`)).toContain("≥ 0.5  <missed:missed>");
});

test("without an aim there is no verdict", () => {
  expect(renderTable([{ ...throughput, aim: null }], () => "painted")).not.toContain("painted");
});

test("numbers have three digits", () => {
  expect([12_345.6, 123.4, 12.34, 1.234, 0.1234, -0.05].map(formatNumber)).toEqual(["12,346", "123", "12.3", "1.23", "0.123", "-0.050"]);
});
