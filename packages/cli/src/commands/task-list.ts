import type { TaskChange, TaskInfo, TaskPage } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import { toConnectionError } from "../client/http-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TaskListFlags } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDuration } from "../output/durations.ts";
import { renderTable } from "../output/table.ts";
import { renderChange } from "../output/task-change.ts";
import { cutText, describeTaskDuration, describeTaskError, paintStatus, toTaskName } from "../output/task-cells.ts";
import { withServer } from "../server-link/with-server.ts";
import { assertKnown } from "../tasks/known-names.ts";
import { toStatuses } from "../tasks/selection.ts";

/** One page of the server's at most. */
const PAGE = 500;
/** An error in a list is to be recognized; `task get` has all of it. */
const ERROR_WIDTH = 80;

/** Tasks, newest first; or, with `--follow`, what happens to them from now on. */
export function taskList(context: CommandContext, options: TaskListFlags): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    if (options.follow) return await followTasks(context, client, options);
    const { screen } = context;
    const page = await listTasks(client, options, signal);
    if (page.tasks.length === 0) await assertKnown(client, options, signal);
    if (options.json) screen.print(`${JSON.stringify(page)}\n`);
    else if (page.tasks.length > 0) {
      screen.print(renderTasks(page.tasks, context.io.clock.now(), screen.colors));
      if (page.cursor !== null) screen.note(screen.noteColors.dim(`There are more: --limit ${options.limit * 2} shows some of them`));
    } else screen.note("No such tasks: `samovar task put NAME --input JSON` queues one, `.put` and `.spawn` in code");
    return 0;
  });
}

/** As many as are asked for, from as many pages as that takes. */
async function listTasks(client: ControlClient, options: TaskListFlags, signal: AbortSignal): Promise<TaskPage> {
  const query = { function: options.function, app: options.app, statuses: toStatuses(options), delivery: toDelivery(options), sinceMs: options.since };
  const tasks: TaskInfo[] = [];
  let cursor: string | null = null;
  do {
    const page: TaskPage = await client.tasks.list({ ...query, limit: Math.min(PAGE, options.limit - tasks.length), cursor }, signal);
    tasks.push(...page.tasks);
    cursor = page.tasks.length === 0 ? null : page.cursor;
  } while (cursor !== null && tasks.length < options.limit);
  return { tasks, cursor };
}

/** What failed and can be queued again is what is asked for by `--failed`: calls are not, unless they are. */
function toDelivery({ calls, queued, failed }: TaskListFlags): TaskInfo["delivery"] | undefined {
  if (calls) return "call";
  return queued || failed ? "queued" : undefined;
}

async function followTasks({ screen, interrupt }: CommandContext, client: ControlClient, options: TaskListFlags): Promise<ExitCode> {
  const statuses = toStatuses(options);
  const show = (change: TaskChange): void => {
    if (statuses && !statuses.includes(change.status)) return;
    screen.print(options.json ? `${JSON.stringify(change)}\n` : renderChange(change, screen.colors));
  };
  try {
    for await (const change of client.tasks.changes({ function: options.function, app: options.app }, interrupt.signal)) show(change);
    return 0;
  } catch (error) {
    throw interrupt.signal.aborted ? interrupt.signal.reason : toConnectionError(error, client.http.url);
  }
}

function renderTasks(tasks: readonly TaskInfo[], nowMs: number, colors: Colors): string {
  return renderTable(tasks, [
    { title: "ID", cell: (task) => task.id },
    { title: "FUNCTION", cell: toTaskName },
    { title: "DELIVERY", cell: (task) => task.delivery },
    { title: "STATUS", cell: (task) => paintStatus(task.status, colors) },
    { title: "ATTEMPTS", align: "right", cell: (task) => String(task.attempts.length) },
    { title: "AGE", align: "right", cell: (task) => formatDuration(nowMs - task.createdAtMs) },
    { title: "DURATION", align: "right", cell: (task) => describeTaskDuration(task, nowMs) },
    { title: "ERROR", cell: (task) => cutText(describeTaskError(task.error), ERROR_WIDTH) },
  ]);
}
