import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ContainerCgroup, limitWrites } from "./container-cgroup.ts";

const limits = { cpuMillis: 1_500, memoryMib: 128, maxProcesses: 64, diskMib: 1_024, workers: 1 };
const all = { mountPoint: "/x", parentDir: "/x", enable: [], controllers: ["memory", "pids", "cpu"] } as const;

test("v1 gets the memory limit before the limit with swap, which may not be below it", () => {
  expect(limitWrites({ ...all, version: 1 }, limits)).toEqual([
    ["memory.limit_in_bytes", "134217728"],
    ["memory.memsw.limit_in_bytes", "134217728"],
    ["pids.max", "64"],
    ["cpu.cfs_period_us", "100000"],
    ["cpu.cfs_quota_us", "150000"],
  ]);
});

test("v2 gets its own names, and no swap", () => {
  expect(limitWrites({ ...all, version: 2 }, limits)).toEqual([
    ["memory.max", "134217728"],
    ["memory.swap.max", "0"],
    ["pids.max", "64"],
    ["cpu.max", "150000 100000"],
  ]);
});

test("a quota below what the kernel takes becomes its smallest", () => {
  expect(limitWrites({ ...all, version: 2, controllers: ["cpu"] }, { ...limits, cpuMillis: 1 })).toEqual([["cpu.max", "1000 100000"]]);
});

test("v2 counts are read by name", async () => {
  const dir = await mkdtemp(join(tmpdir(), "samovar-cgroup-"));
  try {
    await Promise.all([
      writeFile(join(dir, "memory.events"), "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"),
      writeFile(join(dir, "memory.current"), "10000\n"),
      writeFile(join(dir, "memory.stat"), "anon 1\ninactive_file 4000\n"),
      writeFile(join(dir, "cpu.stat"), "usage_usec 2500\nuser_usec 2000\n"),
      writeFile(join(dir, "cgroup.procs"), ""),
    ]);
    const cgroup = new ContainerCgroup([{ ...all, version: 2, dir }], (move) => move());
    expect(await cgroup.oomKills()).toBe(2);
    expect(await cgroup.memoryBytes()).toBe(6_000);
    expect(await cgroup.cpuMs()).toBe(2.5);
    expect(await cgroup.pids()).toEqual([]);
  } finally {
    await rm(dir, { recursive: true, maxRetries: 5 });
  }
});
