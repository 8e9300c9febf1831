import { show, type ScheduleManifest } from "@samovar/protocol";
import { describeTimezoneProblem, describeWhenProblem } from "./cron.ts";

/** More often, and the work around a task is more than the task. */
const SHORTEST_EVERY_MS = 1_000;

/** Why a schedule can't be, with what to write instead; undefined if it can. For manifests, which anybody may send. */
export function describeScheduleProblem(schedule: ScheduleManifest): string | undefined {
  const { cron, everyMs, timezone, overlap, catchUp } = schedule;
  if ((cron === null) === (everyMs === null)) return "A schedule has either when or every: give one of them";
  if (everyMs !== null) {
    if (!Number.isSafeInteger(everyMs) || everyMs < SHORTEST_EVERY_MS) return `every is ${show(everyMs)} ms: give at least 1 s, in whole milliseconds`;
    if (timezone !== null) return `every runs by the same length of time everywhere, so timezone ${show(timezone)} means nothing: leave it out, or say when`;
  }
  if (!["skip", "queue", "allow"].includes(overlap)) return `overlap is ${show(overlap)}: give "skip", "queue" or "allow"`;
  if (!["none", "last", "all"].includes(catchUp)) return `catchUp is ${show(catchUp)}: give "none", "last" or "all"`;
  return (cron === null ? undefined : describeWhenProblem(cron)) ?? (timezone === null ? undefined : describeTimezoneProblem(timezone));
}
