import { expect, test } from "vitest";
import { TickHeap } from "./tick-heap.ts";

test("the first one is always the earliest, however they come and go", () => {
  const heap = new TickHeap<number>();
  const left: number[] = [];
  let value = 7;
  for (let at = 0; at < 2_000; at++) {
    value = (value * 1_103 + 12_345) % 9_973;
    if (value % 3 === 0 && left.length > 0) {
      expect(heap.takeFirst()?.atMs).toBe(left.shift());
    } else {
      heap.add({ atMs: value, value });
      left.push(value);
      left.sort((a, b) => a - b);
    }
    expect(heap.first?.atMs).toBe(left[0]);
    expect(heap.size).toBe(left.length);
  }
  while (left.length > 0) expect(heap.takeFirst()?.atMs).toBe(left.shift());
  expect(heap.takeFirst()).toBeUndefined();
});
