import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgroupPlace } from "./container-cgroup.ts";
import { containerIdOf, readStartTicks } from "./process-table.ts";
import type { RuntimeName } from "./oci/runtime-program.ts";

/**
 * What the next server has to know of a container in order to take it back, beside what its folder shows: kept in that
 * folder, where its processes can't get at it.
 */
export interface ContainerRecord {
  /** Whose it is. */
  readonly driver: "process" | "oci";
  readonly main: ProcessMark;
  /** Its control groups. Empty: it has none. */
  readonly groups: readonly CgroupPlace[];
  /** Of the oci driver. */
  readonly oci?: OciRecord;
}

export interface OciRecord {
  readonly runtime: RuntimeName;
  readonly runtimePid: number;
  readonly initPid: number;
  /** The folder, among the containers', of the root that all containers of its driver share. */
  readonly rootFolder: string;
}

/** A process, and not another one that got its number later. */
export interface ProcessMark {
  readonly pid: number;
  /** When it was started, as the kernel counts. */
  readonly startTicks: number;
}

const FILE = "container.json";

/** Null when it has ended. */
export async function markProcess(pid: number): Promise<ProcessMark | null> {
  const startTicks = await readStartTicks(pid);
  return startTicks === null ? null : { pid, startTicks };
}

export async function writeRecord(folder: string, record: ContainerRecord): Promise<void> {
  await writeFile(join(folder, FILE), JSON.stringify(record), { mode: 0o600 });
}

/** Null where there is none that can be read. */
export async function readRecord(folder: string): Promise<ContainerRecord | null> {
  try {
    return JSON.parse(await readFile(join(folder, FILE), "utf8")) as ContainerRecord;
  } catch {
    return null;
  }
}

/** Whether its main process lives. */
export async function isLiving({ main }: ContainerRecord, containerId: string): Promise<boolean> {
  const [startTicks, environ] = await Promise.all([readStartTicks(main.pid), readFile(`/proc/${main.pid}/environ`, "latin1").catch(() => "")]);
  return startTicks === main.startTicks && containerIdOf(environ) === containerId;
}

/** The variables that a process was started with. */
export async function readEnvironment(pid: number): Promise<Record<string, string>> {
  const variables = (await readFile(`/proc/${pid}/environ`, "utf8")).split("\0").filter((each) => each.includes("="));
  return Object.fromEntries(variables.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]));
}
