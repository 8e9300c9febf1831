import { expect, test } from "vitest";
import { STRANGER_BYTES, STRANGER_KEPT_MS, StrangerBytes } from "./stranger-bytes.ts";

const MINUTE_MS = 60_000;

test("so many bytes are taken at a function within an hour, whenever in it they came, and no more", () => {
  const bytes = new StrangerBytes();
  const quarter = STRANGER_BYTES / 4;
  for (let i = 0; i < 4; i++) bytes.take("resize", quarter, i * 10 * MINUTE_MS);
  expect(() => bytes.take("resize", 1, STRANGER_KEPT_MS)).toThrow("Callers without a token have put 1024 MiB at resize within an hour, and may put 1024");
  // Others have their own.
  bytes.take("other", STRANGER_BYTES, STRANGER_KEPT_MS);
  // The first of them came an hour ago, and with it goes what came in its minute.
  bytes.take("resize", quarter, STRANGER_KEPT_MS + MINUTE_MS);
  expect(() => bytes.take("resize", 1, STRANGER_KEPT_MS + MINUTE_MS)).toThrow(/within an hour/);
});

test("what was not kept is not counted", () => {
  const bytes = new StrangerBytes();
  const giveBack = bytes.take("resize", STRANGER_BYTES, 0);
  expect(() => bytes.take("resize", 1, 0)).toThrow(/within an hour/);
  giveBack(1);
  bytes.take("resize", 1, 0);
});
