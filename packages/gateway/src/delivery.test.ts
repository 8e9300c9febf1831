import { expect, test } from "vitest";
import { chooseDelivery } from "./delivery.ts";
import { parsePrefer } from "./prefer.ts";

const KINDS = ["endpoint", "cls", "function", "taskqueue", "schedule"] as const;

/** Prefer, with a key, by a handle → for each kind in turn. */
test.each([
  ["", false, false, ["call", "call", "accept", "accept", "accept"]],
  ["wait=0", false, false, ["call", "call", "accept", "accept", "accept"]],
  ["wait=30", false, false, ["call", "call", 30_000, 30_000, 30_000]],
  ["wait", false, false, ["call", "call", "call", 300_000, 300_000]],
  ["wait=3600", false, false, ["call", "call", 300_000, 300_000, 300_000]],
  ["respond-async", false, false, ["accept", "accept", "accept", "accept", "accept"]],
  ["respond-async, wait=0", false, false, ["accept", "accept", "accept", "accept", "accept"]],
  ["respond-async, wait=5", false, false, [5_000, 5_000, 5_000, 5_000, 5_000]],
  ["", true, false, [Infinity, Infinity, "accept", "accept", "accept"]],
  ["wait=0", true, false, ["accept", "accept", "accept", "accept", "accept"]],
  ["wait=30", true, false, [30_000, 30_000, 30_000, 30_000, 30_000]],
  ["respond-async", true, false, ["accept", "accept", "accept", "accept", "accept"]],
  ["", false, true, ["call", "call", "call", "call", "call"]],
  ["wait=30", false, true, ["call", "call", "call", "call", "call"]],
  ["respond-async", false, true, ["accept", "accept", "accept", "accept", "accept"]],
  ["", true, true, [Infinity, Infinity, Infinity, Infinity, Infinity]],
])("Prefer: %j, with a key: %j, by a handle: %j", (prefer, hasKey, byHandle, expected) => {
  const chosen = KINDS.map((kind) => chooseDelivery(kind, byHandle ? "value" : "http", parsePrefer(prefer), hasKey));
  expect(chosen.map((delivery) => (delivery.by === "wait" ? delivery.waitMs : delivery.by))).toEqual(expected);
});
