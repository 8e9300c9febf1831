import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { SYSTEM_PATH } from "../container-process.ts";
import { OUTPUT_FDS } from "./lifeline.ts";

export type RuntimeName = "crun" | "runc";

/** A program that makes containers of OCI configurations. */
export interface RuntimeProgram {
  readonly name: RuntimeName;
  readonly file: string;
}

export interface RunPaths {
  readonly containerId: string;
  readonly keepsGroup: boolean;
  /** Holds `config.json`. */
  readonly bundle: string;
  /** Where the runtime keeps what it knows; of this container alone. */
  readonly state: string;
  readonly logFile: string;
}

/** The quicker one first: see docs/decisions/0014-oci-driver.md. */
export const RUNTIMES: readonly RuntimeName[] = ["crun", "runc"];

/** Those that are installed. */
export async function findRuntimes(names: readonly RuntimeName[]): Promise<RuntimeProgram[]> {
  const found = await Promise.all(names.map(async (name) => ({ name, file: await findProgram(name) })));
  return found.flatMap(({ name, file }) => (file === null ? [] : [{ name, file }]));
}

/** Looked for where systems put programs, not in the PATH of whoever started the server. */
async function findProgram(name: string): Promise<string | null> {
  for (const folder of SYSTEM_PATH.split(":")) {
    const file = join(folder, name);
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return null;
}

/** What the runtime is told before its command. crun leaves control groups to us; runc has no word for that. */
export function toGlobalArguments({ name, file }: RuntimeProgram, state: string): string[] {
  return [file, "--root", state, ...(name === "crun" ? ["--cgroup-manager=disabled"] : [])];
}

/**
 * Runs a container in the foreground: the runtime stays as its parent and reaps it, wherever the server's own parent does
 * not. runc would remove the control group at the end, and with it the count of processes that ended for want of memory.
 */
export function toRunArguments(runtime: RuntimeProgram, { containerId, keepsGroup, bundle, state, logFile }: RunPaths): string[] {
  return [
    ...toGlobalArguments(runtime, state),
    "--log",
    logFile,
    "run",
    ...(runtime.name === "runc" && keepsGroup ? ["--keep"] : []),
    ...["--bundle", bundle, "--preserve-fds", String(OUTPUT_FDS.stderr - 2), containerId],
  ];
}
