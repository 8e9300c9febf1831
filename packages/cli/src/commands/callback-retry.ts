import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export function callbackRetry(context: CommandContext, options: JsonFlag & { readonly id: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const callback = await client.callbacks.retry(options.id, signal);
    context.screen.print(options.json ? `${JSON.stringify(callback)}\n` : `${callback.id} is sent once more to ${callback.url}\n`);
    return 0;
  });
}
