import { DEFAULT_OPTIONS } from "@samovar/protocol";
import { expect, test } from "vitest";
import { readRepository, toRepository } from "../repository.ts";
import { optionDocs } from "./option-docs.ts";

const real = readRepository(`${import.meta.dirname}/../..`).files.get("docs/lifecycle.md")!;
const check = (text: string, defaults = DEFAULT_OPTIONS) =>
  optionDocs(defaults)
    .check(toRepository({ "docs/lifecycle.md": text }))
    .map(({ message }) => message);

test("the table is what the code says", () => {
  expect(check(real)).toEqual([]);
});

test("a default that changes in code is named, with what its row says", () => {
  expect(check(real, { ...DEFAULT_OPTIONS, stopGracePeriodMs: 45_000, maxContainers: 3 })).toEqual([
    "The default of stopGracePeriod is 45 s (stopGracePeriodMs in packages/protocol/src/options.ts), but its row says 30 s",
    "The default of maxContainers is 3 (maxContainers in packages/protocol/src/options.ts), but its row says what the host can hold",
  ]);
});

test("a missing row, one too many and a missing table are named", () => {
  expect(check(real.replace("| `workers` |", "| `workerz` |"))).toEqual([
    "workers has no row: add | `workers` | 1 | … |",
    "There is no option workerz: remove its row",
  ]);
  expect(check("# The lifecycle")).toEqual(["It has no table of defaults: one that begins | option | default |"]);
});
