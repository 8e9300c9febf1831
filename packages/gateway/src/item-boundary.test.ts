import { expect, test } from "vitest";
import { encodeItem, type ItemForm } from "@samovar/protocol";
import { ItemBoundary } from "./item-boundary.ts";

test.each(["ndjson", "sse", "values"] as const)("%s: between items exactly where whole items have passed, however they are cut", (form: ItemForm) => {
  const items = [{ n: 1 }, "a longer item, in more bytes", []].map((item) => encodeItem(form, item));
  const bytes = Buffer.concat(items);
  const ends = new Set([0, ...items.map((_, i) => items.slice(0, i + 1).reduce((sum, item) => sum + item.length, 0))]);
  for (const step of [1, 2, 3, 7, bytes.length]) {
    const boundary = new ItemBoundary(form);
    for (let at = 0; at < bytes.length; at += step) {
      expect([at, boundary.isBetweenItems]).toEqual([at, ends.has(at)]);
      boundary.track(bytes.subarray(at, at + step));
      boundary.track(Buffer.alloc(0));
    }
    expect(boundary.isBetweenItems).toBe(true);
  }
});
