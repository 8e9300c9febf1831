import type { ExecLaunch, OwnedExec } from "./exec-launch.ts";
import { startPipedExec } from "./piped-exec.ts";

/** Starts a program, with pipes or in a terminal. Rejects when it can't be started, and leaves nothing behind then. */
export async function startExec(launch: ExecLaunch): Promise<OwnedExec> {
  if (launch.terminal === null) return startPipedExec(launch);
  // Not before somebody wants a terminal: a server pays nothing for them.
  const { startTerminalExec } = await import("./terminal-exec.ts");
  return startTerminalExec(launch, launch.terminal);
}
