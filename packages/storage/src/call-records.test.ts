import { setImmediate as turn } from "node:timers/promises";
import { silentLogger, type Logger } from "@samovar/kit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CallRecords } from "./call-records.ts";
import type { StorageThread } from "./storage-thread.ts";
import { callSample } from "./task-samples.fixture.ts";

interface Sent {
  readonly ids: readonly string[];
  end(error?: Error): Promise<void>;
}

let sent: Sent[];
let logged: { readonly message: string; readonly dropped: unknown }[];
let nowMs: number;
let records: CallRecords;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  sent = [];
  logged = [];
  nowMs = 0;
  const call = (operation: { readonly rows: readonly (readonly [string])[] }): Promise<undefined> =>
    new Promise((resolve, reject) => {
      const end = async (error?: Error): Promise<void> => {
        if (error) reject(error);
        else resolve(undefined);
        await turn();
      };
      sent.push({ ids: operation.rows.map(([id]) => id), end });
    });
  const log = (fields: object, message: string): void => void logged.push({ message, dropped: (fields as { dropped?: number }).dropped });
  const logger: Logger = { ...silentLogger, warn: log, error: log, info: log };
  records = new CallRecords({ call } as unknown as StorageThread, logger, () => nowMs);
});

afterEach(() => void vi.useRealTimers());

const add = (from: number, to: number): void => records.add(Array.from({ length: to - from }, (_, i) => callSample(`tk_${from + i}`)));

test("what comes within 100 ms is one batch, and a thousand go at once", async () => {
  add(0, 2);
  add(2, 3);
  vi.advanceTimersByTime(99);
  expect(sent).toHaveLength(0);
  vi.advanceTimersByTime(1);
  expect(sent.map(({ ids }) => ids)).toEqual([["tk_0", "tk_1", "tk_2"]]);
  await sent[0]!.end();
  add(3, 1_003);
  expect(sent[1]!.ids).toHaveLength(1_000);
});

test("while one batch is under way the next one gathers", async () => {
  add(0, 1_000);
  add(1_000, 3_000);
  vi.advanceTimersByTime(1_000);
  expect(sent).toHaveLength(1);
  await sent[0]!.end();
  expect(sent[1]!.ids).toHaveLength(2_000);
  add(3_000, 3_001);
  await sent[1]!.end();
  vi.advanceTimersByTime(100);
  expect(sent[2]!.ids).toEqual(["tk_3000"]);
});

test("more than 10,000 unwritten drop the oldest, which is said once a minute, with how many", async () => {
  add(0, 1_000);
  for (let i = 1_000; i < 20_000; i += 500) add(i, i + 500);
  expect(logged).toEqual([{ message: "Records of calls come faster than they can be written, the oldest were dropped", dropped: 1_000 }]);
  nowMs = 60_000;
  for (let i = 20_000; i < 22_000; i += 500) add(i, i + 500);
  expect(logged).toHaveLength(2);
  await sent[0]!.end();
  expect(sent[1]!.ids.length).toBeLessThanOrEqual(9_000);
  expect(sent[1]!.ids.at(-1)).toBe("tk_21999");
  await sent[1]!.end();
  const written = sent[0]!.ids.length + sent[1]!.ids.length;
  nowMs = 120_000;
  add(22_000, 23_000);
  for (let i = 23_000; i < 33_000; i += 500) add(i, i + 500);
  const dropped = logged.reduce((sum, each) => sum + Number(each.dropped), 0);
  expect(dropped).toBeGreaterThanOrEqual(22_000 - written);
});

test("a batch that can't be written is kept and tried again with the next, and that is said once", async () => {
  add(0, 3);
  vi.advanceTimersByTime(100);
  await sent[0]!.end(new Error("full"));
  expect(records.failure?.message).toBe("full");
  add(3, 4);
  vi.advanceTimersByTime(100);
  expect(sent[1]!.ids).toEqual(["tk_0", "tk_1", "tk_2", "tk_3"]);
  await sent[1]!.end(new Error("full"));
  add(4, 5);
  vi.advanceTimersByTime(100);
  await sent[2]!.end();
  expect(records.failure).toBeUndefined();
  expect(logged.map(({ message }) => message)).toEqual([
    "The records of calls could not be written, they are kept in memory and tried again",
    "The records of calls are written again",
  ]);
});

test("a question sends all that waits, also beside a batch that is under way", () => {
  add(0, 1_000);
  add(1_000, 1_001);
  records.send();
  expect(sent.map(({ ids }) => ids.length)).toEqual([1_000, 1]);
  records.send();
  expect(sent).toHaveLength(2);
});
