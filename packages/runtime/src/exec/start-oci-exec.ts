import { watch } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join, resolve } from "node:path";
import { SamovarError, type ExitStatus } from "@samovar/protocol";
import { SYSTEM_PATH } from "../container-process.ts";
import type { ExecCommand } from "../driver.ts";
import type { HostAccess } from "../oci/host-access.ts";
import type { OciFolder } from "../oci/root-folder.ts";
import { toGlobalArguments, type RuntimeProgram } from "../oci/runtime-program.ts";
import { readProcessTable } from "../process-table.ts";
import type { OwnedExec } from "./exec-launch.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { inRawTerminal, placeInGroups } from "./placed-command.ts";
import { signalGroup, signalOne } from "./signals.ts";
import { startExec } from "./start-exec.ts";

export interface OciExecPlace {
  readonly containerId: string;
  readonly program: RuntimeProgram;
  readonly access: Pick<HostAccess, "prefix" | "inside">;
  readonly folder: OciFolder;
  /** The container's configuration: its main process's user, variables and limits are those of all. */
  readonly config: object;
  /**
   * Of the container's control groups, where the runtime doesn't enter them. It then stands in there as long as the
   * program, with less than 1 MiB of its own.
   */
  readonly procsFiles: readonly string[];
}

interface OciProcess {
  readonly cwd: string;
  /** `NAME=value`. */
  readonly env: readonly string[];
}

const PID_FILE = "pid";
const LOG_FILE = "log";
const PROCESS_FILE = "process.json";
/** A shell's way to tell a signal, and the runtimes'. */
const SIGNAL_CODES = 128;

/** Runs a program in a container of an OCI runtime, by the runtime's own `exec`. Rejects with `not_found` where there is no such program. */
export async function startOciExec(command: ExecCommand, place: OciExecPlace): Promise<OwnedExec> {
  if (command.argv.length === 0) throw new SamovarError("invalid_request", "There is no program to run: the list of arguments is empty");
  const folder = await mkdtemp(join(place.folder.root, "exec-"));
  const files = { process: join(folder, PROCESS_FILE), pid: join(folder, PID_FILE), log: join(folder, LOG_FILE) };
  const removeFiles = (): Promise<void> => rm(folder, { recursive: true, force: true }).catch(() => {});
  try {
    await writeFile(files.process, JSON.stringify(toProcess(command, place)), { mode: 0o600 });
    const { access, program, containerId } = place;
    const [file, ...args] = [
      ...access.prefix,
      ...toGlobalArguments(program, access.inside(place.folder.state)),
      ...["--log", access.inside(files.log), "exec", "--process", access.inside(files.process), "--pid-file", access.inside(files.pid), containerId],
    ];
    const launch = { file: file!, args, cwd: "/", env: { PATH: SYSTEM_PATH, SAMOVAR_CONTAINER_ID: containerId }, terminal: command.terminal };
    const started = watchForPid(folder);
    try {
      const outer = await startExec(placeInGroups(inRawTerminal(launch), place.procsFiles));
      // A program that was quick has ended already.
      const pid = await Promise.race([started.pid, outer.ended.then(() => readPid(files.pid))]);
      if (pid === null) throw await whyNot(command, outer, files.log);
      // crun takes the size over when the program runs already.
      if (command.terminal) outer.resize(command.terminal, pid);
      return toInner(outer, pid, removeFiles);
    } finally {
      started.dispose();
    }
  } catch (error) {
    await removeFiles();
    throw error;
  }
}

/** The main process's own, with another program in it. */
function toProcess(command: ExecCommand, { config, containerId }: OciExecPlace): object {
  const { process } = config as { readonly process: OciProcess };
  const variables = Object.fromEntries(process.env.map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]));
  const kind = command.terminal ? { TERM: "xterm-256color" } : {};
  const env = { ...kind, ...variables, ...command.env, SAMOVAR_CONTAINER_ID: containerId };
  return {
    ...process,
    args: command.argv,
    cwd: resolve(process.cwd, command.cwd ?? "."),
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    terminal: command.terminal !== null,
    ...(command.terminal ? { consoleSize: { width: command.terminal.columns, height: command.terminal.rows } } : {}),
  };
}

/** The program in place of the runtime that stands before it: signals go to it, and its end is told by the runtime's. */
function toInner(outer: OwnedExec, pid: number, removeFiles: () => Promise<void>): OwnedExec {
  let hasEnded = false;
  void outer.ended.then(() => {
    hasEnded = true;
    void removeFiles();
  });
  return {
    pid,
    launcherPid: outer.pid,
    stdin: outer.stdin,
    stdout: outer.stdout,
    stderr: outer.stderr,
    ended: outer.ended,
    exited: outer.exited.then(toInnerExit),
    // The runtime may have looked at the size only once.
    resize: (size) => outer.resize(size, pid),
    kill(signal) {
      if (!hasEnded) void signalProgram(pid, outer.pid, signal);
    },
  };
}

/**
 * To the program and what it started. Its group is not always its own: runtimes may have made it for a helper of theirs.
 * The runtime itself must not be hit, or nobody tells the end.
 */
async function signalProgram(pid: number, launcherPid: number, signal: string): Promise<void> {
  const table = await readProcessTable().catch(() => null);
  const groupId = table?.get(pid)?.groupId;
  if (groupId === undefined || groupId === launcherPid) signalOne(pid, signal);
  else signalGroup(groupId, signal);
}

/** A program that exits with such a code by itself is told alike: there is nothing to tell them apart by. */
export function toInnerExit(exit: ExitStatus): ExitStatus {
  if (exit.kind !== "exit" || exit.code === null || exit.code <= SIGNAL_CODES) return exit;
  const signal = Object.entries(constants.signals).find(([, number]) => number === exit.code! - SIGNAL_CODES)?.[0];
  return signal === undefined ? exit : { kind: "signal", code: null, signal };
}

/** The runtime has ended, and the program has not begun: the runtime's log says why. */
async function whyNot(command: ExecCommand, outer: OwnedExec, logFile: string): Promise<SamovarError> {
  await outer.ended;
  outer.stdin.destroy();
  outer.stdout.destroy();
  outer.stderr?.destroy();
  const said = (await readFile(logFile, "utf8").catch(() => "")).trim();
  const [name] = command.argv;
  if (/chdir|cwd/.test(said)) return new SamovarError("not_found", `The container has no folder ${JSON.stringify(command.cwd)} to run a program in`);
  if (/not found|no such file/i.test(said))
    return new SamovarError("not_found", `The container has no program ${JSON.stringify(name)}, or none that may be run`, {
      fields: { exitCode: EXIT_CODES.missing },
    });
  if (/permission denied|operation not permitted|is a directory/i.test(said))
    return new SamovarError("not_found", `${JSON.stringify(name)} is there in the container, but may not be run: it has to be a file that is executable`, {
      fields: { exitCode: EXIT_CODES.cannotRun },
    });
  return new SamovarError("internal", `${JSON.stringify(name)} can't be run in the container: ${said || "the runtime ended without a word"}`);
}

/** The runtime writes it when the program runs. It may be seen before there is anything in it. */
function watchForPid(folder: string): { readonly pid: Promise<number>; dispose(): void } {
  const { promise, resolve } = Promise.withResolvers<number>();
  const look = async (): Promise<void> => {
    const pid = await readPid(join(folder, PID_FILE));
    if (pid !== null) resolve(pid);
  };
  const watcher = watch(folder, (_event, changed) => {
    if (changed === PID_FILE) void look();
  });
  // Then its end tells.
  watcher.on("error", () => {});
  return { pid: promise, dispose: () => watcher.close() };
}

async function readPid(file: string): Promise<number | null> {
  const pid = Number(await readFile(file, "utf8").catch(() => ""));
  return pid > 0 ? pid : null;
}
