import type { ScheduleInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDateTime, formatDistance } from "../output/durations.ts";
import { paintScheduleState } from "../output/schedule-cells.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

/** One schedule with its next runs, in the time of this machine and in its own. */
export function scheduleInspect(context: CommandContext, options: JsonFlag & { readonly name: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen } = context;
    const schedule = await client.schedules.get(options.name, signal);
    screen.print(options.json ? `${JSON.stringify(schedule)}\n` : renderSchedule(schedule, context.io.clock.now(), screen.colors));
    return 0;
  });
}

const OVERLAP: Readonly<Record<ScheduleInfo["overlap"], string>> = {
  skip: "a run is skipped while an earlier one isn't over",
  queue: "a run waits while an earlier one isn't over",
  allow: "runs may go on beside each other",
};
const CATCH_UP: Readonly<Record<ScheduleInfo["catchUp"], string>> = {
  none: "runs missed while no server was there are left out",
  last: "one run makes up for those missed while no server was there",
  all: "each run missed while no server was there is made up for, the newest 100",
};

function renderSchedule(schedule: ScheduleInfo, nowMs: number, colors: Colors): string {
  const { lastTickAtMs } = schedule;
  const last =
    lastTickAtMs === null ? "none yet" : `${formatDateTime(lastTickAtMs)} (${formatDistance(lastTickAtMs, nowMs)}), ${schedule.lastTaskId ?? "skipped"}`;
  const lines = [
    `${colors.bold(schedule.name)}  ${paintScheduleState(schedule.state, colors)}`,
    `function  schedule, app ${schedule.app} ${colors.dim(schedule.id)}`,
    `when      ${schedule.when}, ${schedule.timezone ?? "in the server's own timezone"}`,
    `overlap   ${schedule.overlap}: ${OVERLAP[schedule.overlap]}`,
    `catch-up  ${schedule.catchUp}: ${CATCH_UP[schedule.catchUp]}`,
    `last run  ${last}`,
  ];
  return `${lines.join("\n")}\n${renderNextRuns(schedule, nowMs)}`;
}

function renderNextRuns({ nextRunsAtMs, timezone, name, state }: ScheduleInfo, nowMs: number): string {
  if (nextRunsAtMs.length === 0) return state === "paused" ? `\nNo runs come: \`samovar schedule resume ${name}\`\n` : "";
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `\n${renderTable(nextRunsAtMs, [
    { title: `NEXT RUNS (${here})`, cell: (atMs) => formatDateTime(atMs) },
    ...(timezone === null || timezone === here ? [] : [{ title: timezone, cell: (atMs: number) => formatDateTime(atMs, timezone) }]),
    { title: "", cell: (atMs) => formatDistance(atMs, nowMs) },
  ])}`;
}
