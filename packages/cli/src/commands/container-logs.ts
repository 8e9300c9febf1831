import type { CommandContext, ExitCode } from "../command-context.ts";
import { findContainer } from "../find-container.ts";
import { printLogs } from "../print-logs.ts";
import type { LogFlags } from "../flags.ts";
import { connectServer } from "../server-link/open-server.ts";

export async function containerLogs(context: CommandContext, options: LogFlags & { readonly id: string }): Promise<ExitCode> {
  const client = await connectServer(context);
  try {
    const container = await findContainer(client, options.id, context.interrupt.signal);
    return await printLogs(context, client, { containerId: container.id, follow: options.follow ?? false, tail: options.tail }, options.json ?? false);
  } finally {
    client.dispose();
  }
}
