import { expect, test } from "vitest";
import { containerIdOf, familyOf, parsePs, parseStat, readProcessTable, type ProcessEntry } from "./process-table.ts";

const stat = (state: string, name = "node"): string =>
  `42 (${name}) ${state} 7 42 42 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 11 0 100 1000 256 18446744073709551615 1 1`;

test("a stat line is read behind the last bracket of the name", () => {
  expect(parseStat(stat("S", "a) (b c"), 4_096)).toEqual({ pid: 42, parentPid: 7, groupId: 42, memoryBytes: 256 * 4_096, cpuMs: 2_000 });
});

test("what has ended is no process, nor is a file that is gone", () => {
  expect(parseStat(stat("Z"), 4_096)).toBeNull();
  expect(parseStat("", 4_096)).toBeNull();
});

test("lines of ps are read, times of days too", () => {
  const table = parsePs("    1     0     1  1000 1-02:03:04\n   42     1    42  2048   00:01.50\n");
  expect(table.get(1)).toEqual({ pid: 1, parentPid: 0, groupId: 1, memoryBytes: 1_024_000, cpuMs: (((24 + 2) * 60 + 3) * 60 + 4) * 1_000 });
  expect(table.get(42)!.cpuMs).toBe(1_500);
});

test("a family is what descends from a process and what shares its group", () => {
  const entry = (pid: number, parentPid: number, groupId: number): [number, ProcessEntry] => [pid, { pid, parentPid, groupId, memoryBytes: 0, cpuMs: 0 }];
  const table = new Map([entry(1, 0, 1), entry(13, 12, 13), entry(10, 1, 10), entry(11, 1, 10), entry(12, 10, 12), entry(20, 1, 20)]);
  expect(
    familyOf(table, 10)
      .map(({ pid }) => pid)
      .sort(),
  ).toEqual([10, 11, 12, 13]);
});

test("the container's id is found anywhere in an environment, by its whole name", () => {
  expect(containerIdOf("A=1\0SAMOVAR_CONTAINER_ID=ct_1\0B=2\0")).toBe("ct_1");
  expect(containerIdOf("X_SAMOVAR_CONTAINER_ID=ct_1\0")).toBeNull();
});

test("this process is in the table of this machine", async () => {
  const self = (await readProcessTable()).get(process.pid)!;
  expect(self.parentPid).toBe(process.ppid);
  expect(self.memoryBytes / process.memoryUsage.rss()).toBeGreaterThan(0.5);
});
