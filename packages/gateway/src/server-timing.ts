import type { StartedInfo } from "@samovar/scheduler";

/** `queue`, for a cold start the container's phases, `exec` and `total`, in milliseconds. */
export function serverTiming(started: StartedInfo, totalMs: number): string {
  let text = `queue;dur=${round(started.queuedMs)}`;
  if (started.coldStart) for (const phase of started.phases) text += `, ${phase.name.replace(/[^A-Za-z0-9_.-]/g, "_")};dur=${round(phase.durationMs)}`;
  return `${text}, exec;dur=${round(Math.max(0, totalMs - started.queuedMs))}, total;dur=${round(totalMs)}`;
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
