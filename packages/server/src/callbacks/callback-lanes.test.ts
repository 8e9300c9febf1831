import { expect, test } from "vitest";
import type { DueCallback } from "@samovar/storage";
import { CallbackLanes } from "./callback-lanes.ts";

const callback = (id: string, url: string): DueCallback => {
  return { id, taskId: `tk_${id}`, functionName: "work", app: "shop", url, attempt: 1, createdAtMs: 0 };
};

function fill(counts: Readonly<Record<string, number>>): CallbackLanes {
  const lanes = new CallbackLanes({ perHost: 4, laneLength: 8 });
  for (const [host, count] of Object.entries(counts))
    for (let at = 0; at < count; at++) lanes.add(callback(`${host}${at}`, `http://${host}.example/${at % 2}`));
  return lanes;
}

function takeAll(lanes: CallbackLanes): DueCallback[] {
  const taken: DueCallback[] = [];
  for (let next = lanes.take(); next; next = lanes.take()) taken.push(next);
  return taken;
}

const idsOf = (callbacks: readonly DueCallback[]): string => callbacks.map(({ id }) => id).join(" ");

test("hosts take turns, each in the order of coming, with four at a time", () => {
  const lanes = fill({ a: 6, b: 2, c: 1 });
  const taken = takeAll(lanes);
  expect(idsOf(taken)).toBe("a0 b0 c0 a1 b1 a2 a3");
  lanes.answered(taken[0]!, true);
  expect(idsOf(takeAll(lanes))).toBe("a4");
});

test("a host with another port is another one, with another path or spelling the same", () => {
  const lanes = new CallbackLanes({ perHost: 1, laneLength: 8 });
  for (const [id, url] of Object.entries({ a: "http://x.example", b: "http://x.example:81", c: "http://X.example:80/c" })) lanes.add(callback(id, url));
  expect(idsOf(takeAll(lanes))).toBe("a b");
});

test("a host that doesn't answer gets one at a time until it answers", () => {
  const lanes = fill({ a: 20 });
  const taken = takeAll(lanes);
  for (const each of taken) lanes.answered(each, false);
  const [probe, ...more] = takeAll(lanes);
  expect([idsOf([probe!]), more]).toEqual(["a4", []]);
  lanes.answered(probe!, true);
  expect(idsOf(takeAll(lanes))).toBe("a5 a6 a7 a8");
});

test("URLs of a lane that is full are left out, until it runs dry", () => {
  const lanes = fill({ a: 12, b: 3 });
  expect(lanes.leaveOut()).toEqual(["http://a.example/0", "http://a.example/1"]);
  const taken = takeAll(lanes).filter(({ id }) => id.startsWith("a"));
  while (!lanes.wantsMore && taken.length < 12) {
    lanes.answered(taken.at(-1)!, true);
    taken.push(...takeAll(lanes));
  }
  // Two of its eight wait still.
  expect([taken.length, lanes.leaveOut(), lanes.wantsMore]).toEqual([10, [], false]);
});

test("what is taken is held until it is forgotten", () => {
  const lanes = fill({ a: 1 });
  const [taken] = takeAll(lanes);
  lanes.answered(taken!, true);
  expect([lanes.has("a0"), lanes.held]).toEqual([true, 1]);
  lanes.forget(taken!);
  expect([lanes.has("a0"), lanes.held]).toEqual([false, 0]);
});
