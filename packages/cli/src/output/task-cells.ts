import { isTaskOver, type SerializedError, type TaskInfo, type TaskStatus } from "@samovar/protocol";
import type { Colors } from "./colors.ts";
import { formatDuration } from "./durations.ts";

export function paintStatus(status: TaskStatus, colors: Colors): string {
  switch (status) {
    case "COMPLETE":
      return colors.green(status);
    case "ERROR":
    case "TIMEOUT":
      return colors.red(status);
    case "RUNNING":
      return colors.cyan(status);
    case "RETRY":
      return colors.yellow(status);
    case "PENDING":
      return status;
    case "CANCELLED":
    case "EXPIRED":
      return colors.dim(status);
  }
}

/** `predict`, or `model.tokens` of a class. */
export const toTaskName = (task: Pick<TaskInfo, "function" | "method">): string => (task.method === null ? task.function : `${task.function}.${task.method}`);

/** From its first start until it was over, or until now; `-` while it waits. */
export function describeTaskDuration(task: Pick<TaskInfo, "status" | "startedAtMs" | "endedAtMs">, nowMs: number): string {
  if (task.startedAtMs === null) return "-";
  if (isTaskOver(task.status)) return task.endedAtMs === null ? "-" : formatDuration(task.endedAtMs - task.startedAtMs);
  return task.status === "RUNNING" ? formatDuration(nowMs - task.startedAtMs) : "-";
}

/** The first line: `TypeError: bad weather`; what Samovar says of it by its code. Empty for none. */
export function describeTaskError(error: SerializedError | null | undefined): string {
  if (!error) return "";
  return `${error.code ?? error.name}: ${error.message}`.split("\n", 1)[0]!.trimEnd();
}

/** What of a text fits, with a mark where it was cut. */
export const cutText = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`);
