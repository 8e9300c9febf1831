import { expect, test } from "vitest";
import { INITIAL_WINDOW_BYTES as WINDOW, type CallHead } from "@samovar/protocol";
import { ArrivingCalls, MAX_ARRIVING_CALLS, type ArrivingBytes } from "./arriving-calls.ts";

const HEAD: CallHead = { functionName: "resize", streaming: false, streamed: true };
const HALF = Buffer.alloc(WINDOW / 2, 1);

/** Calls of a worker, beside others that hold what is in `held`; beyond three windows only the oldest goes on. */
function open(held: ArrivingBytes = { used: 0 }) {
  const granted = new Map<number, number>();
  const calls = new ArrivingCalls(held, (stream, bytes) => void granted.set(stream, (granted.get(stream) ?? 0) + bytes), 3 * WINDOW);
  return { calls, granted, held };
}

test("what comes in pieces is whole in the end, and its window is granted as it comes", () => {
  const { calls, granted, held } = open();
  calls.open(2, HEAD);
  for (let i = 0; i < 4; i++) calls.add(2, HALF);
  expect([granted.get(2), held.used]).toEqual([2 * WINDOW, 2 * WINDOW]);
  expect(calls.take(2)).toMatchObject({ head: HEAD, body: { length: 2 * WINDOW } });
  expect([calls.has(2), calls.take(2), held.used]).toEqual([false, undefined, 0]);
});

test("where many bytes are held, also by other workers, the oldest alone goes on, and the next when that is over", () => {
  const { calls, granted, held } = open({ used: 2 * WINDOW });
  for (const stream of [2, 4, 6]) calls.open(stream, HEAD);
  calls.add(4, HALF);
  calls.add(6, HALF);
  expect([...granted]).toEqual([[4, WINDOW / 2]]);
  for (let i = 0; i < 6; i++) calls.add(2, HALF);
  expect(granted.get(2)).toBe(3 * WINDOW);
  expect([granted.get(4), granted.get(6)]).toEqual([WINDOW / 2, undefined]);
  calls.drop(2);
  // Three windows are held still: the others of this worker, and two of somebody else.
  expect([granted.get(4), granted.get(6), held.used]).toEqual([WINDOW / 2, undefined, 3 * WINDOW]);
  calls.add(4, HALF);
  expect([granted.get(4), granted.get(6)]).toEqual([WINDOW, undefined]);
  expect(calls.take(4)?.body.length).toBe(WINDOW);
  expect(granted.get(6)).toBe(WINDOW / 2);
  calls.clear();
  expect(held.used).toBe(2 * WINDOW);
});

test("more than was granted breaks the protocol, and so many at a time are refused", () => {
  const { calls } = open({ used: 10 * WINDOW });
  for (let i = 1; i <= MAX_ARRIVING_CALLS; i++) calls.open(2 * i, HEAD);
  expect(() => calls.open(2 * MAX_ARRIVING_CALLS + 2, HEAD)).toThrow(/^1000 calls of this worker are being sent already/);
  for (let i = 0; i < 2; i++) calls.add(4, HALF);
  expect(() => calls.add(4, Buffer.alloc(1))).toThrow("A worker sent more of a call's input than its window allows");
  // Of one that was refused or is over, what is still on its way is nothing.
  calls.drop(4);
  calls.add(4, HALF);
});
