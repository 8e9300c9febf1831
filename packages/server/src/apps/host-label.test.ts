import { expect, test } from "vitest";
import { describeHostProblem, splitHostLabel } from "./host-label.ts";

test("two dashes and a number at the end name a version", () => {
  expect(splitHostLabel("my-api--3")).toEqual({ name: "my-api", version: 3 });
  for (const label of ["my-api", "my-api-3", "my-api--0", "my-api--x", "--3"]) expect(splitHostLabel(label)).toEqual({ name: label, version: null });
});

test("a name whose host would be that of a version has none", () => {
  expect(describeHostProblem("api--2")).toContain("api--2.localhost");
  expect(describeHostProblem("api__2")).toContain("api--2.localhost");
  expect(describeHostProblem("api-2")).toBeUndefined();
});
