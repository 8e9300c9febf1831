import type { ServerInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { ControlClient } from "../client/control-client.ts";
import { formatDuration } from "../output/durations.ts";
import { renderServer } from "../output/server-report.ts";
import { findServer } from "../server-link/find-server.ts";
import type { JsonFlag } from "../flags.ts";

/** The server's state. Exit code 1 when none runs: scripts ask that way. */
export async function status(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  const { screen, settings } = context;
  const address = await findServer(settings);
  if (!address) {
    if (options.json) screen.print(`${JSON.stringify({ running: false, home: settings.home })}\n`);
    else
      screen.print(
        `No server runs with the home ${settings.home}\n${screen.colors.cyan("  →")} Start one with \`samovar up\`; \`samovar run\` and \`serve\` start one of their own\n`,
      );
    return 1;
  }
  const client = await ControlClient.create(address.url, address.token);
  try {
    const info: ServerInfo = await client.server(context.interrupt.signal);
    if (options.json) screen.print(`${JSON.stringify({ running: true, ...info })}\n`);
    else screen.print(`${renderServer(info, screen.colors)}up for    ${formatDuration(context.io.clock.now() - info.startedAtMs)}\n`);
    return 0;
  } finally {
    client.dispose();
  }
}
