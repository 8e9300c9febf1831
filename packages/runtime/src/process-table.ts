import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { endianness } from "node:os";
import { promisify } from "node:util";

/** Processes of this machine as the kernel shows them: through /proc on Linux, through `ps` elsewhere. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly groupId: number;
  readonly memoryBytes: number;
  readonly cpuMs: number;
}

export type ProcessTable = ReadonlyMap<number, ProcessEntry>;

const isLinux = process.platform === "linux";
/** Linux tells processor time in these since ever, whatever the kernel's own tick is. */
const TICKS_PER_SECOND = 100;

export async function readProcessTable(): Promise<ProcessTable> {
  if (!isLinux) return parsePs((await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid=,pgid=,rss=,time="])).stdout);
  const pageBytes = await readPageBytes();
  const entries = await Promise.all((await pidsOfProc()).map(async (pid) => parseStat(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""), pageBytes)));
  return new Map(entries.flatMap((entry) => (entry ? [[entry.pid, entry]] : [])));
}

/** A process, what it started and what those started, and all in its process group. Not what broke with both. */
export function familyOf(table: ProcessTable, mainPid: number): ProcessEntry[] {
  const family = new Set<number>(table.has(mainPid) ? [mainPid] : []);
  for (const entry of table.values()) if (entry.groupId === mainPid) family.add(entry.pid);
  for (let grew = true; grew;) {
    grew = false;
    for (const entry of table.values()) {
      if (!family.has(entry.pid) && family.has(entry.parentPid)) {
        family.add(entry.pid);
        grew = true;
      }
    }
  }
  return [...family].flatMap((pid) => table.get(pid) ?? []);
}

/**
 * Processes that were started with SAMOVAR_CONTAINER_ID set to one of these, by id. Also finds what left its
 * process group and lost its parent, unless it was given another environment. Empty where there is no /proc.
 */
export async function findByContainerId(containerIds: ReadonlySet<string>): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>();
  if (!isLinux || containerIds.size === 0) return found;
  await Promise.all(
    (await pidsOfProc()).map(async (pid) => {
      const id = containerIdOf(await readFile(`/proc/${pid}/environ`, "latin1").catch(() => ""));
      if (id !== null && containerIds.has(id)) found.set(id, [...(found.get(id) ?? []), pid]);
    }),
  );
  return found;
}

export function containerIdOf(environ: string): string | null {
  return /(?:^|\0)SAMOVAR_CONTAINER_ID=([^\0]*)/.exec(environ)?.[1] ?? null;
}

/** When a process was started, in ticks since the machine was; null when it has ended, or where there is no /proc. */
export async function readStartTicks(pid: number): Promise<number | null> {
  const rest = await readStat(pid);
  return rest.length < 20 || isOver(rest) ? null : Number(rest[19]);
}

/** Whether a process runs. One that has ended does not, also where nobody reaps it: first processes of containers often never do. */
export async function isRunning(pid: number): Promise<boolean> {
  return isAlive(pid) && !isOver(await readStat(pid));
}

/** Whether a process with this id exists, ended but unreaped ones included. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** `pid (name) state ppid pgrp …`: the name may hold spaces and brackets, so what follows is counted from the last one. */
export function parseStat(text: string, pageBytes: number): ProcessEntry | null {
  const rest = toRest(text);
  if (rest.length === 0 || isOver(rest)) return null;
  const ticks = Number(rest[11]) + Number(rest[12]);
  return {
    pid: parseInt(text, 10),
    parentPid: Number(rest[1]),
    groupId: Number(rest[2]),
    memoryBytes: Number(rest[21]) * pageBytes,
    cpuMs: (ticks * 1_000) / TICKS_PER_SECOND,
  };
}

const readStat = async (pid: number): Promise<string[]> => toRest(await readFile(`/proc/${pid}/stat`, "utf8").catch(() => ""));

/** What follows the name; empty where there is none. */
function toRest(text: string): string[] {
  const close = text.lastIndexOf(")");
  return close < 0 ? [] : text.slice(close + 2).split(" ");
}

/** Ended and not yet reaped: holds nothing and can't be ended again. */
const isOver = ([state]: readonly string[]): boolean => state === "Z" || state === "X";

/** Lines of `pid ppid pgid rss-in-KiB [[days-]hours:]minutes:seconds`. */
export function parsePs(text: string): ProcessTable {
  const table = new Map<number, ProcessEntry>();
  for (const line of text.split("\n")) {
    const [pid, parentPid, groupId, rssKib, time] = line.trim().split(/\s+/);
    if (time === undefined) continue;
    const seconds = time
      .split(/[-:]/)
      .reduceRight<[total: number, unit: number]>(([total, unit], part) => [total + Number(part) * unit, unit === 3_600 ? 86_400 : unit * 60], [0, 1])[0];
    table.set(Number(pid), {
      pid: Number(pid),
      parentPid: Number(parentPid),
      groupId: Number(groupId),
      memoryBytes: Number(rssKib) * 1_024,
      cpuMs: Math.round(seconds * 1_000),
    });
  }
  return table;
}

async function pidsOfProc(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => name.charCodeAt(0) >= 48 && name.charCodeAt(0) <= 57).map(Number);
}

const AUX_PAGE_SIZE = 6n;
let pageBytesRead: Promise<number> | undefined;

/** The page size is in the vector that the kernel hands to every process: pairs of 64-bit key and value. */
function readPageBytes(): Promise<number> {
  pageBytesRead ??= readFile("/proc/self/auxv").then(
    (auxv) => {
      const at = (offset: number): bigint => (endianness() === "LE" ? auxv.readBigUInt64LE(offset) : auxv.readBigUInt64BE(offset));
      for (let offset = 0; offset + 16 <= auxv.length; offset += 16) if (at(offset) === AUX_PAGE_SIZE) return Number(at(offset + 8));
      return 4_096;
    },
    () => 4_096,
  );
  return pageBytesRead;
}
