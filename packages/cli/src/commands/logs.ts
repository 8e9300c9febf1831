import type { CommandContext, ExitCode } from "../command-context.ts";
import type { LogFlags } from "../flags.ts";
import { connectServer } from "../server-link/open-server.ts";
import { printLogs } from "../print-logs.ts";

export async function logs(context: CommandContext, options: LogFlags & { readonly name?: string | undefined }): Promise<ExitCode> {
  const client = await connectServer(context);
  try {
    return await printLogs(context, client, { name: options.name, follow: options.follow ?? false, tail: options.tail }, options.json ?? false);
  } finally {
    client.dispose();
  }
}
