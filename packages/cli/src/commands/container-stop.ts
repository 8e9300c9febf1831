import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import { withServer } from "../server-link/with-server.ts";

/** Begins the stop and returns: how long it takes depends on the inputs that the container holds. */
export async function containerStop(context: CommandContext, options: { readonly id: string; readonly force?: boolean }): Promise<ExitCode> {
  return await withServer(context, async (client, signal) => {
    const container = await findContainer(client, options.id, signal);
    await client.stopContainer(container.id, { force: options.force ?? false }, signal);
    context.screen.print(`${container.id} ${options.force ? "is killed" : "drains and stops"}\n`);
    return 0;
  });
}
