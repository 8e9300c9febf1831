import { expect, test } from "vitest";
import { loadPtyBinding } from "./pty-binding.ts";

test("a platform without a prebuilt binding has none, and no error", () => {
  expect(loadPtyBinding("plan9", "mips")).toBeNull();
});

test("this platform has one", () => {
  expect(loadPtyBinding()?.binding.fork).toBeTypeOf("function");
});
