import { readFileSync } from "node:fs";

/** Linux's unit of CPU times in /proc: a hundredth of a second, whatever the kernel's own tick is. */
const MICROSECONDS_PER_TICK = 10_000;

/** CPU time that a process has used, user and system, all threads. Linux only. */
export function cpuMicroseconds(pid: number): number {
  // The command's name, in parentheses, may itself have spaces and parentheses.
  const fields = afterName(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

export function parentOf(pid: number): number {
  return Number(afterName(readFileSync(`/proc/${pid}/stat`, "utf8"))[1]);
}

const afterName = (stat: string): string[] => stat.slice(stat.lastIndexOf(")") + 2).split(" ");

export interface MemoryUse {
  readonly rssBytes: number;
  /** Pages that several processes share count for each by its part. */
  readonly pssBytes: number;
}

export function memoryOf(pid: number): MemoryUse {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]);
  return { rssBytes: kilobytes("Rss") * 1_024, pssBytes: kilobytes("Pss") * 1_024 };
}
