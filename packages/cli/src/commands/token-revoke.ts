import type { CommandContext, ExitCode } from "../command-context.ts";
import { connectServer } from "../server-link/open-server.ts";

export async function tokenRevoke(context: CommandContext, options: { readonly idOrName: string }): Promise<ExitCode> {
  const client = await connectServer(context);
  try {
    await client.revokeToken(options.idOrName, context.interrupt.signal);
    context.screen.print(`${options.idOrName} is revoked\n`);
    return 0;
  } finally {
    client.dispose();
  }
}
