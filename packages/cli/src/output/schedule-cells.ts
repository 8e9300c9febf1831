import type { ScheduleInfo } from "@samovar/protocol";
import type { Colors } from "./colors.ts";
import { formatDateTime, formatDistance } from "./durations.ts";

export function paintScheduleState(state: ScheduleInfo["state"], colors: Colors): string {
  return state === "active" ? colors.green(state) : state === "paused" ? colors.yellow(state) : colors.dim(state);
}

/** `2026-11-22 12:00:00 (in 3 min)`, local time; `-` where none comes. */
export function describeNextRun({ nextRunsAtMs }: Pick<ScheduleInfo, "nextRunsAtMs">, nowMs: number): string {
  const next = nextRunsAtMs[0];
  return next === undefined ? "-" : `${formatDateTime(next)} (${formatDistance(next, nowMs)})`;
}
