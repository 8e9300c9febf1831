import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import { connectServer } from "../server-link/open-server.ts";

/** Begins the stop and returns: how long it takes depends on the inputs that the container holds. */
export async function containerStop(context: CommandContext, options: { readonly id: string; readonly force?: boolean }): Promise<ExitCode> {
  const client = await connectServer(context);
  try {
    const container = await findContainer(client, options.id, context.interrupt.signal);
    await client.stopContainer(container.id, { force: options.force ?? false }, context.interrupt.signal);
    context.screen.print(`${container.id} ${options.force ? "is killed" : "drains and stops"}\n`);
    return 0;
  } finally {
    client.dispose();
  }
}
