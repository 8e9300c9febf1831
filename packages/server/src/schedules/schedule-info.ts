import type { ScheduleInfo, ScheduleManifest } from "@samovar/protocol";

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
] as const;

/** As its author wrote it, or would have. */
export function describeWhen({ cron, everyMs }: ScheduleManifest): ScheduleInfo["when"] {
  if (everyMs === null) return cron ?? "";
  const unit = UNITS.find(([, ms]) => everyMs % ms === 0);
  return unit ? `every ${everyMs / unit[1]}${unit[0]}` : `every ${everyMs}ms`;
}
