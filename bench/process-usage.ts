import { readFileSync, readdirSync } from "node:fs";

/** Linux's unit of CPU times in /proc: a hundredth of a second, whatever the kernel's own tick is. */
const MICROSECONDS_PER_TICK = 10_000;

/** CPU time that a process has used, user and system, all threads. Linux only. */
export function cpuMicroseconds(pid: number): number {
  // The command's name, in parentheses, may itself have spaces and parentheses.
  const fields = afterName(readFileSync(`/proc/${pid}/stat`, "utf8"));
  return (Number(fields[11]) + Number(fields[12])) * MICROSECONDS_PER_TICK;
}

/**
 * CPU time of a process with all its descendants, those that ended included: a server with a process for each
 * connection counts as one, whichever of them came and went. Linux only.
 */
export function treeCpuMicroseconds(pid: number): number {
  const parents = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = ignoreEnded(() => parentOf(Number(name)));
    if (parent !== null) parents.set(parent, [...(parents.get(parent) ?? []), Number(name)]);
  }
  const sum = (each: number): number => {
    const fields = ignoreEnded(() => afterName(readFileSync(`/proc/${each}/stat`, "utf8")));
    if (!fields) return 0;
    // Its own, and that of children that it has waited for.
    const ticks = fields.slice(11, 15).reduce((total, field) => total + Number(field), 0);
    return (parents.get(each) ?? []).reduce((total, child) => total + sum(child), ticks * MICROSECONDS_PER_TICK);
  };
  return sum(pid);
}

function ignoreEnded<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
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
