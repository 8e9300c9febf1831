import { expect, it } from "vitest";
import { CommandQueue } from "./command-queue.ts";
import { parseBatchFailures } from "./kernel.ts";

it("what gathers while one batch runs goes together into the next, each with its own result", async () => {
  const batches: (readonly string[])[] = [];
  let goOn = (): void => {};
  const queue = new CommandQueue<string>(async (changes) => {
    batches.push(changes);
    if (batches.length === 1) await new Promise<void>((resolve) => (goOn = resolve));
    return changes.map((change) => (change === "bad" ? new Error("no") : null));
  });
  const first = queue.push("a");
  const others = Promise.allSettled([queue.push("b"), queue.push("bad"), queue.push("c")]);
  goOn();
  await first;
  expect((await others).map((each) => each.status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(batches).toEqual([["a"], ["b", "bad", "c"]]);
  await queue.push("d");
  expect(batches).toHaveLength(3);
});

it("failures of ip are found by their lines", () => {
  const text = 'Cannot find device "nope1"\nCommand failed -:1\nError: Unknown device type.\nHint: none\nCommand failed -:12\n';
  expect([...parseBatchFailures(text)]).toEqual([
    [1, 'Cannot find device "nope1"'],
    [12, "Error: Unknown device type. Hint: none"],
  ]);
});
