import type { ScheduleInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDateTime, formatDistance } from "../output/durations.ts";
import { describeNextRun, paintScheduleState } from "../output/schedule-cells.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export function scheduleList(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen } = context;
    const schedules = await client.schedules.list(signal);
    if (options.json) screen.print(`${JSON.stringify({ schedules })}\n`);
    else if (schedules.length > 0) screen.print(renderSchedules(schedules, context.io.clock.now(), screen.colors));
    else screen.note("No schedules: export one with schedule({ when }, handler), then `samovar deploy FILE`");
    return 0;
  });
}

function renderSchedules(schedules: readonly ScheduleInfo[], nowMs: number, colors: Colors): string {
  return renderTable(schedules, [
    { title: "NAME", cell: (each) => each.name },
    { title: "APP", cell: (each) => each.app },
    { title: "WHEN", cell: (each) => each.when },
    { title: "TIMEZONE", cell: (each) => each.timezone ?? "-" },
    { title: "STATE", cell: (each) => paintScheduleState(each.state, colors) },
    { title: "NEXT RUN", cell: (each) => describeNextRun(each, nowMs) },
    {
      title: "LAST RUN",
      cell: (each) => (each.lastTickAtMs === null ? "-" : `${formatDateTime(each.lastTickAtMs)} (${formatDistance(each.lastTickAtMs, nowMs)})`),
    },
    { title: "TASK", cell: (each) => each.lastTaskId ?? (each.lastTickAtMs === null ? "-" : "skipped") },
  ]);
}
