import { SamovarError, TASK_STATUSES, nextTaskStatus, type TaskStatus } from "@samovar/protocol";
import type { TaskChoice } from "../client/task-client.ts";
import type { TaskFilterFlags } from "../flags.ts";

/** What a dead-letter view shows. */
export const FAILED_STATUSES: readonly TaskStatus[] = ["ERROR", "TIMEOUT"];
export const UNFINISHED_STATUSES: readonly TaskStatus[] = ["PENDING", "RUNNING", "RETRY"];

export const toStatuses = (flags: TaskFilterFlags): readonly TaskStatus[] | undefined => (flags.failed ? FAILED_STATUSES : flags.status);

/** Which tasks options name, for a change of all of them. Throws where they name none: everything is never meant by saying nothing. */
export function toChoice(verb: "cancel" | "retry", flags: TaskFilterFlags): TaskChoice {
  const { function: name, app, since } = flags;
  const statuses = toStatuses(flags);
  assertPossible(verb, statuses);
  if (name === undefined && app === undefined && since === undefined && statuses === undefined) {
    throw new SamovarError("invalid_request", `Nothing is said about which tasks to ${verb}`, {
      fields: {
        fix: `Name them, \`samovar task ${verb} ID\`, or say which with --function, --app, --status${verb === "retry" ? ", --failed" : ""} or --since`,
      },
    });
  }
  return {
    ...(name === undefined ? {} : { function: name }),
    ...(app === undefined ? {} : { app }),
    // What was cancelled on purpose comes back only when it is asked for.
    statuses: statuses ?? (verb === "retry" ? FAILED_STATUSES : UNFINISHED_STATUSES),
    ...(since === undefined ? {} : { sinceMs: since }),
  };
}

/** Statuses of which none can be changed so would match nothing, which looks as if there was nothing to do. */
function assertPossible(verb: "cancel" | "retry", statuses: readonly TaskStatus[] | undefined): void {
  const event = verb === "cancel" ? "cancel" : "revive";
  if (statuses === undefined || statuses.some((status) => nextTaskStatus(status, event) !== undefined)) return;
  const possible = TASK_STATUSES.filter((status) => nextTaskStatus(status, event) !== undefined);
  throw new SamovarError("invalid_request", `What is at ${statuses.join(" or ")} can't be ${verb === "cancel" ? "cancelled" : "queued once more"}`, {
    fields: { fix: `Only what is at ${possible.join(", ")} can` },
  });
}
