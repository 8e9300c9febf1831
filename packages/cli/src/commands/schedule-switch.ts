import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { describeNextRun } from "../output/schedule-cells.ts";
import { withServer } from "../server-link/with-server.ts";

export function scheduleSwitch(context: CommandContext, verb: "pause" | "resume", options: JsonFlag & { readonly name: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const schedule = await client.schedules.switch(options.name, verb, signal);
    const { name, state, nextRunsAtMs } = schedule;
    const told =
      state === "paused"
        ? `${name} is paused: it doesn't run at its times until \`samovar schedule resume ${name}\``
        : state === "stopped"
          ? `${name} is stopped, and runs at its times again after \`samovar deployment start ${name}\``
          : `${name} runs at its times again${nextRunsAtMs.length > 0 ? `, next at ${describeNextRun(schedule, context.io.clock.now())}` : ""}`;
    context.screen.print(options.json ? `${JSON.stringify(schedule)}\n` : `${told}\n`);
    return 0;
  });
}
