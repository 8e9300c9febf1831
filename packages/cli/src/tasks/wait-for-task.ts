import { createHttpTransport } from "samovar/internal";
import { SamovarError, fromSerializedError, isTaskOver, type TaskDetail } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import { tellList } from "../client/listed-by.ts";
import { taskPath } from "../client/paths.ts";
import type { CommandContext } from "../command-context.ts";
import { formatDuration } from "../output/durations.ts";
import { UserCodeError } from "../output/error-report.ts";

/**
 * The task when it is over, or as it is after `forMs`; true waits without end. Shows that it is waited for. As in code, a
 * server that restarts is waited for too: the task outlives it.
 */
export function waitForTask({ screen, interrupt }: CommandContext, client: ControlClient, id: string, forMs: number | true): Promise<TaskDetail> {
  const { url, token } = client.http;
  return screen.during(`Waiting for ${id}`, async () => {
    const transport = createHttpTransport({ url, token: token ?? undefined });
    try {
      return await transport.taskWhenOver(id, {
        ...(forMs === true ? {} : { timeoutMs: forMs }),
        signal: interrupt.signal,
        onAway: () => screen.note(screen.noteColors.yellow(`The server at ${url} is away or stops: ${id} goes on when it is back, and is waited for`)),
      });
    } catch (error) {
      throw toWaitError(error, id);
    } finally {
      transport.close();
    }
  });
}

/** What became of the task isn't known: the server is gone, and the task is kept. */
function toWaitError(error: unknown, id: string): unknown {
  if (!(error instanceof SamovarError)) return error;
  if (error.code !== "server_unreachable" && error.code !== "shutting_down") return tellList(error, taskPath(id));
  return new SamovarError(error.code, `${error.message.split(". ", 1)[0]!}: ${id} goes on when it is back`, {
    cause: error,
    fields: { fix: `\`samovar task get ${id} --wait\` waits for it then` },
  });
}

/** Why a task that was waited for has no result, as an error for people; undefined for one that has. */
export function toTaskFailure(task: TaskDetail, forMs: number | true | undefined): Error | undefined {
  if (task.status === "COMPLETE") return undefined;
  const again = task.delivery === "call" ? "" : `, \`samovar task retry ${task.id}\` queues it once more`;
  const fields = { fix: `\`samovar task get ${task.id}\` shows its attempts${again}` };
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
