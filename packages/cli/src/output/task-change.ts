import type { TaskChange } from "@samovar/protocol";
import type { Colors } from "./colors.ts";
import { formatTime } from "./durations.ts";
import { describeTaskError, paintStatus } from "./task-cells.ts";

/** `12:03:04.123 tk_1 predict RETRY attempt 1: TypeError: bad weather`. */
export function renderChange(change: TaskChange, colors: Colors): string {
  const attempt = change.attempt === 0 ? "" : colors.dim(` attempt ${change.attempt}`);
  const error = describeTaskError(change.error);
  return `${colors.dim(formatTime(change.atMs))} ${change.id} ${change.function} ${paintStatus(change.status, colors)}${attempt}${error === "" ? "" : `: ${error}`}\n`;
}
