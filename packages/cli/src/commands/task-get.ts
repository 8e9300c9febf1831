import { isTaskOver, type TaskDetail } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import { toConnectionError } from "../client/http-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TaskGetFlags } from "../flags.ts";
import { formatDuration } from "../output/durations.ts";
import { renderChange } from "../output/task-change.ts";
import { renderTask } from "../output/task-report.ts";
import { withServer } from "../server-link/with-server.ts";
import { waitShown } from "../tasks/wait-for-task.ts";

/** One task. Waited for or followed, the exit code says whether it completed. */
export function taskGet(context: CommandContext, options: TaskGetFlags & { readonly id: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen, io } = context;
    const { id, wait } = options;
    let task = wait === undefined || options.follow ? await client.tasks.get(id, {}, signal) : await waitShown(context, client, id, wait);
    if (options.follow && !isTaskOver(task.status)) {
      await follow(context, client, task, options);
      task = await client.tasks.get(id, {}, signal);
    }
    if (!options.json) screen.print(renderTask(task, io.clock.now(), screen.colors));
    else if (!options.follow) screen.print(`${JSON.stringify(task)}\n`);
    if (typeof wait === "number" && !isTaskOver(task.status)) screen.note(screen.noteColors.yellow(`It isn't over after ${formatDuration(wait)}, and goes on`));
    return (wait === undefined && !options.follow) || task.status === "COMPLETE" ? 0 : 1;
  });
}

async function follow({ screen, interrupt, io }: CommandContext, client: ControlClient, task: TaskDetail, options: TaskGetFlags): Promise<void> {
  if (!options.json) {
    const { id, function: name, app, status } = task;
    screen.print(renderChange({ id, function: name, app, status, attempt: task.attempts.at(-1)?.number ?? 0, atMs: io.clock.now() }, screen.colors));
  }
  try {
    for await (const change of client.tasks.follow(task.id, interrupt.signal)) {
      screen.print(options.json ? `${JSON.stringify(change)}\n` : renderChange(change, screen.colors));
      if (isTaskOver(change.status)) return;
    }
  } catch (error) {
    throw interrupt.signal.aborted ? interrupt.signal.reason : toConnectionError(error, client.http.url);
  }
}
