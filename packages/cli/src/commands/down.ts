import { SamovarError } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { ControlClient } from "../client/control-client.ts";
import { orAborted } from "../interrupt.ts";
import { findServer, type ServerAddress } from "../server-link/find-server.ts";
import { isAlive } from "../server-link/server-file.ts";

/** How often a process is looked for: Node can't be told of the end of one that it did not start. */
const LOOK_EVERY_MS = 20;
/** A server that no longer answers is on its way out, or it hangs. */
const LEAVING_MS = 15_000;

/** Stops the server gracefully and returns when it is gone. No server is what was asked for: exit code 0. */
export async function down(context: CommandContext): Promise<ExitCode> {
  const { screen, settings, interrupt } = context;
  const address = await findServer(settings);
  if (!address) {
    screen.note(`No server runs with the home ${settings.home}`);
    return 0;
  }
  await screen.during("Stopping the server: running inputs finish first", () => orAborted(stop(context, address), interrupt.signal));
  screen.print(`Stopped the server at ${address.url}\n`);
  return 0;
}

async function stop(context: CommandContext, address: ServerAddress): Promise<void> {
  const { signal } = context.interrupt;
  const client = await ControlClient.create(address.url, address.token);
  try {
    // Opened first: it ends when the server closes its last connections, which is all that is seen of one elsewhere.
    const closed = readToEnd(client.logs({ follow: true, tail: 0 }, signal));
    await client.shutdown(signal);
    await closed;
    if (address.pid !== null) await isGone(context, address.pid, Infinity);
  } catch (error) {
    const leaves = error instanceof SamovarError && (error.code === "server_unreachable" || error.code === "shutting_down");
    if (!leaves || address.pid === null || !(await isGone(context, address.pid, LEAVING_MS))) throw error;
  } finally {
    client.dispose();
  }
}

async function readToEnd(lines: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _line of lines);
  } catch {
    // Cut off: it closed all the same.
  }
}

/** Waits until the process has ended; false when it is still there after `forMs`. */
async function isGone({ io, interrupt }: CommandContext, pid: number, forMs: number): Promise<boolean> {
  const untilMs = io.clock.monotonic() + forMs;
  while (isAlive(pid)) {
    if (interrupt.signal.aborted || io.clock.monotonic() > untilMs) return false;
    await new Promise<void>((resolve) => io.clock.after(LOOK_EVERY_MS, resolve));
  }
  return true;
}
