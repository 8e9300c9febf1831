import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { printLines } from "../print-logs.ts";
import { withServer } from "../server-link/with-server.ts";

export function taskLogs(context: CommandContext, options: JsonFlag & { readonly id: string; readonly follow?: boolean }): Promise<ExitCode> {
  return withServer(context, (client, signal) =>
    printLines(context, client, client.tasks.logs(options.id, { follow: options.follow ?? false }, signal), options.json ?? false),
  );
}
