import type { CommandContext, ExitCode } from "../command-context.ts";
import { withServer } from "../server-link/with-server.ts";

export async function tokenRevoke(context: CommandContext, options: { readonly idOrName: string }): Promise<ExitCode> {
  return await withServer(context, async (client, signal) => {
    await client.revokeToken(options.idOrName, signal);
    context.screen.print(`${options.idOrName} is revoked\n`);
    return 0;
  });
}
