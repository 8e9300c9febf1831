import { expect, test } from "vitest";
import { toSerializedError } from "./errors.ts";
import { fromProblem, parseProblem } from "./problem.ts";

const PROBLEM = { type: "about:blank", title: "Conflict", status: 409, detail: "It is there", code: "conflict" };

test("a problem is an error with its code and detail; what else it has are fields, what was thrown is the cause", () => {
  const error = fromProblem({ ...PROBLEM, taskId: "tk_1", error: toSerializedError(new RangeError("no 7")) });
  expect(error).toMatchObject({ code: "conflict", message: "It is there", fields: { taskId: "tk_1" }, cause: { name: "RangeError", message: "no 7" } });
  expect(Object.keys(error.fields)).toEqual(["taskId"]);
});

test.each(["teapot", "toString"])("a code that the catalogue lacks, such as %s, is internal", (code) => {
  expect(fromProblem({ ...PROBLEM, code })).toMatchObject({ code: "internal", message: "It is there" });
});

test.each(["", "<html>", "null", "7", "{}", '{"code":"conflict"}', '{"code":7,"detail":"x"}'])("%j is no problem document", (text) => {
  expect(parseProblem(text)).toBeUndefined();
});
