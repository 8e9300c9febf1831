import { expect, test } from "vitest";
import { SamovarError, fromSerializedError, toSerializedError } from "./errors.ts";

test("an error crosses a connection with its name, message, stack and cause", () => {
  const cause = new RangeError("inner");
  const error = new TypeError("outer", { cause });
  const received = fromSerializedError(JSON.parse(JSON.stringify(toSerializedError(error))));
  expect([received.name, received.message, received.stack]).toEqual(["TypeError", "outer", error.stack]);
  expect(received.cause).toMatchObject({ name: "RangeError", message: "inner", stack: cause.stack });
});

test.each([
  [{ name: "TypeError", message: "no" }, "TypeError: no"],
  [{ name: "TypeError", message: "no", stack: "" }, "TypeError: no"],
  [{ name: "Odd", message: "" }, "Odd"],
  [{ name: "SamovarError", message: "late", code: "timeout" }, "SamovarError: late"],
])("of %j, which has no stack, none is made up", (data, stack) => {
  expect(fromSerializedError(data).stack).toBe(stack);
  expect((fromSerializedError({ name: "Error", message: "outer", cause: data }).cause as Error).stack).toBe(stack);
});

test("what Samovar raised has its code and fields, and what is no error is told", () => {
  const received = fromSerializedError(toSerializedError(new SamovarError("timeout", "late", { fields: { taskId: "tk_1" } })));
  expect(received).toBeInstanceOf(SamovarError);
  expect(received).toMatchObject({ code: "timeout", fields: { taskId: "tk_1" } });
  expect(toSerializedError("text")).toEqual({ name: "Error", message: "A non-error was thrown: text" });
});
