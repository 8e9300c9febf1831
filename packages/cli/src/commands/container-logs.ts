import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import { printLogs } from "../print-logs.ts";
import type { LogFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export async function containerLogs(context: CommandContext, options: LogFlags & { readonly id: string }): Promise<ExitCode> {
  return await withServer(context, async (client, signal) => {
    const container = await findContainer(client, options.id, signal);
    return await printLogs(context, client, { containerId: container.id, follow: options.follow ?? false, tail: options.tail }, options.json ?? false);
  });
}
