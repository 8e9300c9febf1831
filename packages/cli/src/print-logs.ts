import type { LogLine } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "./command-context.ts";
import type { ControlClient, LogQuery } from "./client/control-client.ts";
import { toConnectionError } from "./client/http-client.ts";
import { renderLogLine } from "./output/log-printer.ts";

/** Writes log lines to stdout until there are no more; when following, until Ctrl-C, which is how that ends well. */
export function printLogs(context: CommandContext, client: ControlClient, query: LogQuery, json: boolean): Promise<ExitCode> {
  return printLines(context, client, client.logs(query, context.interrupt.signal), json);
}

export async function printLines(context: CommandContext, client: ControlClient, lines: AsyncIterable<LogLine>, json: boolean): Promise<ExitCode> {
  const { screen, interrupt } = context;
  try {
    for await (const line of lines) {
      screen.print(json ? `${JSON.stringify(line)}\n` : renderLogLine(line, screen.colors, { time: true }));
    }
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) throw interrupt.signal.reason;
    throw toConnectionError(error, client.http.url);
  }
}
