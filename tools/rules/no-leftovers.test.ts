import { expect, test } from "vitest";
import { toRepository } from "../repository.ts";
import { noLeftovers } from "./no-leftovers.ts";

const check = (text: string, file = "packages/kit/src/a.test.ts") =>
  noLeftovers.check(toRepository({ [file]: text })).map((problem) => problem.message.split(":")[0]);

// Put together, so that this file does not break the rule itself.
const only = ["on", "ly"].join("");
const skip = ["sk", "ip"].join("");
const skipIf = ["sk", "ipIf"].join("");
const later = ["TO", "DO"].join("");

test("focused tests are found in every form", () => {
  for (const line of [`test.${only}("x", run);`, `describe.${only}("x", run);`, `test.concurrent.${only}("x", run);`, `it.${only}.each([1])("x", run);`]) {
    expect(check(line)).toEqual(["A focused test hides all others"]);
  }
  expect(check("const list = options.only(3);")).toEqual([]);
});

test("a skipped test needs a reason beside or above it", () => {
  expect(check(`test.${skip}("x", run);`)).toEqual([`.${skip} without a reason`]);
  expect(check(`test.${skipIf}(mac)("x", run);`)).toEqual([`.${skipIf} without a reason`]);
  expect(check(`test.${skip}("x", run); // needs cgroups`)).toEqual([]);
  expect(check(`  // needs cgroups\n  test.${skip}("x", run);`)).toEqual([]);
});

test("work put off is found in code and docs, words that contain it are not", () => {
  expect(check(`// ${later}: later`)).toEqual([later]);
  expect(check(`Some ${later} here`, "docs/x.md")).toEqual([later]);
  expect(check(`const ${later}S = 1;`)).toEqual([]);
});
