import { SamovarError, isTaskOver, type TaskInfo } from "@samovar/protocol";
import { ask } from "../ask.ts";
import type { ControlClient } from "../client/control-client.ts";
import type { TaskChoice, TaskVerb } from "../client/task-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TaskChangeFlags } from "../flags.ts";
import { renderError } from "../output/error-report.ts";
import { formatDuration } from "../output/durations.ts";
import { withServer } from "../server-link/with-server.ts";
import { assertKnown } from "../tasks/known-names.ts";
import { toChoice } from "../tasks/selection.ts";

export interface TaskChangeOptions extends TaskChangeFlags {
  readonly ids: readonly string[];
}

/** Up to so many are counted for the question. */
const COUNTED = 100;

/** Cancels tasks, or queues them once more: those that are named, or all that match. */
export async function taskChange(context: CommandContext, verb: TaskVerb, options: TaskChangeOptions): Promise<ExitCode> {
  if (options.ids.length > 0) {
    assertNoFilter(verb, options);
    return await withServer(context, (client, signal) => changeNamed(context, client, verb, options, signal));
  }
  const choice = toChoice(verb, options);
  if (!options.yes && !context.io.isInteractive) {
    throw new SamovarError("invalid_request", `Nobody can be asked whether to ${verb} all tasks that match`, {
      fields: { fix: `Add --yes, and look first: \`samovar task list\` takes the same options` },
    });
  }
  return await withServer(context, async (client, signal) => {
    const { screen } = context;
    const isFree = options.yes || (await isAgreed(context, client, verb, choice, signal));
    if (isFree === false) {
      screen.note("Nothing was changed");
      return 1;
    }
    const answer = isFree === null ? { changed: 0 } : await client.tasks.changeAll(verb, choice, signal);
    const { changed, unserved = 0 } = answer;
    if (changed === 0 && unserved === 0) await assertKnown(client, options, signal);
    if (unserved > 0)
      screen.note(
        screen.noteColors.yellow(
          `${toTasks(unserved)} ${unserved === 1 ? "stays" : "stay"} as before, for nobody serves their functions any more: deploy or serve them again`,
        ),
      );
    screen.print(options.json ? `${JSON.stringify(answer)}\n` : `${toTasks(changed)} ${changed === 1 ? "is" : "are"} ${PAST[verb]}\n`);
    return 0;
  });
}

const PAST: Readonly<Record<TaskVerb, string>> = { cancel: "cancelled", retry: "queued once more" };

const toTasks = (count: number): string => (count === 1 ? "1 task" : `${count} tasks`);

/** What concerns this task alone: it is unknown, was a call, or nobody serves it. */
const ITS_OWN: ReadonlySet<string> = new Set(["not_found", "conflict"]);

/** One after the other, so that each has its own answer; those that are unknown hinder no others. */
async function changeNamed(
  { screen, settings }: CommandContext,
  client: ControlClient,
  verb: TaskVerb,
  options: TaskChangeOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  const tasks: TaskInfo[] = [];
  let changed = 0;
  let isDone = true;
  for (const id of options.ids) {
    try {
      const answer = await client.tasks.change(verb, id, signal);
      tasks.push(answer.task);
      if (answer.changed) changed++;
      else if (!isAsAsked(verb, answer.task)) isDone = false;
      if (!options.json) screen.print(`${id} ${answer.changed ? `is ${PAST[verb]}` : describeUnchanged(verb, answer.task)}\n`);
    } catch (error) {
      if (!(error instanceof SamovarError) || !ITS_OWN.has(error.code) || options.ids.length === 1) throw error;
      isDone = false;
      screen.note(renderError(error, { colors: screen.noteColors, debug: settings.debug }));
    }
  }
  if (options.json) screen.print(`${JSON.stringify({ changed, tasks })}\n`);
  return isDone ? 0 : 1;
}

/** What is over needs no end, and what waits or runs is queued already: a script that asks twice has what it wants. */
const isAsAsked = (verb: TaskVerb, task: TaskInfo): boolean => verb === "cancel" || !isTaskOver(task.status);

function describeUnchanged(verb: TaskVerb, task: TaskInfo): string {
  if (task.delivery === "call") return `was a call that ended as ${task.status}${verb === "retry" ? ", and calls can't be queued again" : ""}`;
  return verb === "cancel" || task.status === "COMPLETE" ? `was over already: ${task.status}` : `is not over: ${task.status}`;
}

/** The answer to `Cancel 12 tasks of transcribe at PENDING? [y/N]`; null where there is nothing to ask about. */
async function isAgreed(context: CommandContext, client: ControlClient, verb: TaskVerb, choice: TaskChoice, signal: AbortSignal): Promise<boolean | null> {
  const page = await client.tasks.list({ ...choice, delivery: "queued", limit: COUNTED }, signal);
  if (page.tasks.length === 0) return null;
  const count = page.cursor === null ? toTasks(page.tasks.length) : `${page.tasks.length} tasks or more`;
  const of = [
    choice.function === undefined ? "" : ` of ${choice.function}`,
    choice.app === undefined ? "" : ` of the app ${choice.app}`,
    ` at ${choice.statuses.join(", ")}`,
    choice.sinceMs === undefined ? "" : `, accepted in the last ${formatDuration(choice.sinceMs)}`,
  ];
  return await ask(context, `${verb === "cancel" ? "Cancel" : "Queue once more"} ${count}${of.join("")}?`);
}

function assertNoFilter(verb: TaskVerb, options: TaskChangeOptions): void {
  const given = (["function", "app", "status", "failed", "since"] as const).find((name) => options[name] !== undefined);
  if (given === undefined) return;
  throw new SamovarError("invalid_request", `Tasks are named by id, and --${given} says which of all are meant`, {
    fields: { fix: `Leave out one of them: \`samovar task ${verb} ID\`, or \`samovar task ${verb} --${given} …\`` },
  });
}
