import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

test("work under one key is done one after another, also after one that failed; other keys don't wait", async () => {
  const turns = new Turns();
  const gate = Promise.withResolvers<void>();
  const done: string[] = [];
  const first = turns.take("a", () => gate.promise.then(() => Promise.reject(new Error("first"))));
  const second = turns.take("a", async () => done.push("second"));
  await turns.take("b", async () => done.push("other"));
  expect([turns.isBusy("a"), turns.isBusy("b"), done]).toEqual([true, false, ["other"]]);
  gate.resolve();
  await expect(first).rejects.toThrow("first");
  await second;
  await turns.settled();
  expect([turns.isBusy("a"), done]).toEqual([false, ["other", "second"]]);
});
