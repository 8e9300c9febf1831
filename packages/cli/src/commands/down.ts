import { SamovarError } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { ControlClient } from "../client/control-client.ts";
import { orAborted } from "../interrupt.ts";
import { findServer, isAlive } from "../server-link/find-server.ts";

/** How often a process is looked for: Node can't be told of the end of one that it did not start. */
const LOOK_EVERY_MS = 20;

/** Stops the server gracefully and returns when it is gone. No server is what was asked for: exit code 0. */
export async function down(context: CommandContext): Promise<ExitCode> {
  const { screen, settings, interrupt } = context;
  const address = await findServer(settings);
  if (!address) {
    screen.note(`No server runs with the home ${settings.home}`);
    return 0;
  }
  const client = await ControlClient.create(address.url, address.token);
  try {
    // Opened first: it ends when the server closes its last connections, which is all that is seen of one elsewhere.
    const lines = client.logs({ follow: true, tail: 0 }, interrupt.signal);
    const closed = drain(lines);
    await client.shutdown(interrupt.signal);
    await screen.during("Stopping the server: running inputs finish first", () =>
      orAborted(Promise.all([closed, address.pid === null ? null : untilGone(context, address.pid)]), interrupt.signal),
    );
  } catch (error) {
    if (!(error instanceof SamovarError && error.code === "server_unreachable" && address.pid !== null && !isAlive(address.pid))) throw error;
  } finally {
    client.dispose();
  }
  screen.print(`Stopped the server at ${address.url}\n`);
  return 0;
}

async function drain(lines: AsyncIterable<unknown>): Promise<void> {
  try {
    for await (const _line of lines);
  } catch {
    // Cut off: it closed all the same.
  }
}

async function untilGone(context: CommandContext, pid: number): Promise<void> {
  while (isAlive(pid) && !context.interrupt.signal.aborted) {
    await new Promise<void>((resolve) => context.io.clock.after(LOOK_EVERY_MS, resolve));
  }
}
