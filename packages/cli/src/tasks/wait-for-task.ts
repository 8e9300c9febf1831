import { SamovarError, fromSerializedError, isTaskOver, type TaskDetail } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext } from "../command-context.ts";
import { formatDuration } from "../output/durations.ts";
import { UserCodeError } from "../output/error-report.ts";

/** One request waits at most so long: what lies between here and the server may close a connection that is silent for longer. */
const ONE_WAIT_MS = 50_000;

/** The task when it is over, or as it is after `forMs`; true waits without end. */
export async function waitForTask({ io, interrupt }: CommandContext, client: ControlClient, id: string, forMs: number | true): Promise<TaskDetail> {
  const endMs = forMs === true ? Infinity : io.clock.monotonic() + forMs;
  for (;;) {
    const askedMs = io.clock.monotonic();
    const leftMs = Math.max(0, Math.ceil(endMs - askedMs));
    const task = await client.tasks.get(id, { waitMs: Math.min(ONE_WAIT_MS, leftMs) }, interrupt.signal);
    if (isTaskOver(task.status) || leftMs <= ONE_WAIT_MS) return task;
    // A server that stops answers all that wait, and would do so at once to each that asks again.
    if (io.clock.monotonic() - askedMs < ONE_WAIT_MS / 2) {
      throw new SamovarError("shutting_down", `The server stops, and ${id} is ${task.status}: it goes on when the server is back`, {
        fields: { fix: `\`samovar task get ${id} --wait\` waits for it then` },
      });
    }
  }
}

/** Shows that it is waited for, on a terminal. */
export function waitShown(context: CommandContext, client: ControlClient, id: string, forMs: number | true): Promise<TaskDetail> {
  return context.screen.during(`Waiting for ${id}`, () => waitForTask(context, client, id, forMs));
}

/** Why a task that was waited for has no result, as an error for people; undefined for one that has. */
export function toTaskFailure(task: TaskDetail, forMs: number | true | undefined): Error | undefined {
  if (task.status === "COMPLETE") return undefined;
  const fields = { fix: `\`samovar task get ${task.id}\` shows its attempts, \`samovar task retry ${task.id}\` queues it once more` };
  if (!isTaskOver(task.status)) {
    const waited = typeof forMs === "number" ? `after ${formatDuration(forMs)}` : "yet";
    return new SamovarError("timeout", `${task.id} isn't over ${waited}: it is ${task.status}${task.reason === null ? "" : `, ${task.reason}`}`, {
      fields: { fix: `It goes on: \`samovar task get ${task.id} --wait\` waits for it` },
    });
  }
  if (task.status === "CANCELLED") return new SamovarError("cancelled", `${task.id} was cancelled`, { fields });
  if (task.status === "EXPIRED") return new SamovarError("expired", `${task.id} expired before an attempt began`, { fields });
  const raised = task.error === null ? new SamovarError("internal", `${task.id} ended with ${task.status}`, { fields }) : fromSerializedError(task.error);
  return raised instanceof SamovarError ? raised : new UserCodeError(raised, fields.fix);
}
