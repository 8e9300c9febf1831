import { expect, test } from "vitest";
import { STRANGER_BYTES, STRANGER_KEPT_MS, StrangerBytes } from "./stranger-bytes.ts";

const MINUTE_MS = 60_000;
const RESIZE = { name: "resize", queue: "resize" };

test("so many bytes are taken at a function within an hour, whenever in it they came, and no more", () => {
  const bytes = new StrangerBytes();
  const quarter = STRANGER_BYTES / 4;
  for (let i = 0; i < 4; i++) bytes.take(RESIZE, quarter, i * 10 * MINUTE_MS);
  expect(() => bytes.take(RESIZE, 1, STRANGER_KEPT_MS)).toThrow("Callers without a token have put 1024 MiB at resize within an hour, and may put 1024");
  // A version that spells the name otherwise is no other function. Others have their own.
  expect(() => bytes.take({ name: "Resize", queue: "resize" }, 1, STRANGER_KEPT_MS)).toThrow("have put 1024 MiB at Resize");
  bytes.take({ name: "other", queue: "other" }, STRANGER_BYTES, STRANGER_KEPT_MS);
  // The first of them came an hour ago, and with it goes what came in its minute.
  bytes.take(RESIZE, quarter, STRANGER_KEPT_MS + MINUTE_MS);
  expect(() => bytes.take(RESIZE, 1, STRANGER_KEPT_MS + MINUTE_MS)).toThrow(/within an hour/);
});

test("what was not kept is not counted", () => {
  const bytes = new StrangerBytes();
  const giveBack = bytes.take(RESIZE, STRANGER_BYTES, 0);
  expect(() => bytes.take(RESIZE, 1, 0)).toThrow(/within an hour/);
  giveBack(1);
  bytes.take(RESIZE, 1, 0);
});
