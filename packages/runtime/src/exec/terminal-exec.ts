import { spawn, type ChildProcess } from "node:child_process";
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { SamovarError, type ExitStatus } from "@samovar/protocol";
import { nextTurn } from "../container-ending.ts";
import type { TerminalSize } from "../driver.ts";
import type { ExecLaunch, OwnedExec } from "./exec-launch.ts";
import { readToEnd } from "./piped-exec.ts";
import { CONTROL_FD, TERMINAL_FD, type TerminalOrder, type TerminalReport } from "./terminal-host-messages.ts";

const fromSource = import.meta.url.endsWith(".ts");
const HOST_FILE = fileURLToPath(new URL(fromSource ? "./terminal-host.ts" : "./terminal-host.js", import.meta.url));
/** Of what a host that fails says about it. */
const MAX_STDERR = 4_096;

/** A program in a terminal, which a process of its own holds: see `terminal-host.ts`. */
export async function startTerminalExec(launch: ExecLaunch, size: TerminalSize): Promise<OwnedExec> {
  // Nothing of the server's environment, and a group of its own: a Ctrl-C at the server's terminal is not for it.
  const host = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", HOST_FILE], {
    cwd: "/",
    env: {},
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    detached: true,
  });
  const terminal = host.stdio[TERMINAL_FD] as Socket;
  const control = host.stdio[CONTROL_FD] as Socket;
  // A host that is gone is told by its exit.
  const messages = createInterface({ input: control });
  for (const stream of [terminal, control, host.stderr!, messages]) stream.on("error", () => {});
  const order = (message: TerminalOrder): void => void (control.writable && control.write(`${JSON.stringify(message)}\n`));

  const started = Promise.withResolvers<number>();
  const programExit = Promise.withResolvers<ExitStatus>();
  let hasEnded = false;
  messages.on("line", (line) => {
    const message = JSON.parse(line) as TerminalReport;
    if (message.type === "started") started.resolve(message.pid);
    else if (message.type === "failed") started.reject(new SamovarError(message.code, message.message));
    else {
      hasEnded = true;
      programExit.resolve(message.exit);
    }
  });
  const hostGone = whenGone(host).then(async (cause) => {
    // What it has reported is in the pipe by now, and a whole turn of the event loop reads it. Its end may overtake that.
    await nextTurn();
    await nextTurn();
    started.reject(new SamovarError("internal", `The process that holds the terminal ended before its program began: ${cause}`));
    hasEnded = true;
    programExit.resolve({ kind: "lost", code: null, signal: null });
  });
  order({ type: "start", launch, size });
  try {
    const pid = await started.promise;
    return {
      pid,
      stdin: terminal,
      stdout: terminal,
      stderr: null,
      ended: programExit.promise.then(() => {}),
      exited: Promise.all([programExit.promise, readToEnd(terminal), hostGone]).then(([exit]) => exit),
      resize: (to, innerPid) => order({ type: "resize", size: to, ...(innerPid === undefined ? {} : { innerPid }) }),
      kill: (signal) => {
        if (!hasEnded) order({ type: "signal", signal });
      },
    };
  } catch (error) {
    control.destroy();
    terminal.destroy();
    throw error;
  }
}

/** Resolves when the process is gone, with what it said or how it ended. */
function whenGone(host: ChildProcess): Promise<string> {
  let text = "";
  host.stderr!.on("data", (chunk: Buffer) => {
    if (text.length < MAX_STDERR) text += chunk.toString();
  });
  return new Promise((resolve) => {
    host.once("error", (error) => resolve(error.message));
    host.once("exit", (code, signal) => resolve(text.trim() || (signal ?? `exit ${code}`)));
  });
}
