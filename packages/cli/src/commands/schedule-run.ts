import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag, WaitFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";
import { waitAndPrint } from "../tasks/print-result.ts";

export function scheduleRun(context: CommandContext, options: WaitFlag & JsonFlag & { readonly name: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const taskId = await client.schedules.run(options.name, signal);
    if (options.wait !== undefined) return await waitAndPrint(context, client, taskId, options);
    context.screen.print(options.json ? `${JSON.stringify({ taskId })}\n` : `${taskId}\n`);
    return 0;
  });
}
