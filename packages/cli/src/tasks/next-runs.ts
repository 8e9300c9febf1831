import type { DeployedFunction, ScheduleInfo } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { Colors } from "../output/colors.ts";
import { describeNextRun } from "../output/schedule-cells.ts";

/** Of these functions, those that run at their times. A command that has done its work doesn't fail for what it tells beside it. */
export async function findSchedules(client: ControlClient, functions: readonly DeployedFunction[], signal: AbortSignal): Promise<readonly ScheduleInfo[]> {
  const ids = new Set(functions.filter((fn) => fn.kind === "schedule").map((fn) => fn.id));
  if (ids.size === 0) return [];
  const schedules = await client.schedules.list(signal).catch(() => []);
  return schedules.filter((schedule) => ids.has(schedule.id));
}

/** A line for each: `  report  0 9 * * *, next 2026-11-23 09:00:00 (in 3 h)`. */
export function renderNextRuns(schedules: readonly ScheduleInfo[], nowMs: number, colors: Colors): string {
  return schedules
    .map((schedule) => {
      const next = schedule.state === "active" ? `next ${describeNextRun(schedule, nowMs)}` : schedule.state;
      return colors.dim(`  ${schedule.name}  ${schedule.when}, ${next}\n`);
    })
    .join("");
}
