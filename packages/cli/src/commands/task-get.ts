import { isTaskOver } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import { toConnectionError } from "../client/http-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TaskGetFlags } from "../flags.ts";
import { formatDuration } from "../output/durations.ts";
import { renderChange } from "../output/task-change.ts";
import { renderTask } from "../output/task-report.ts";
import { withServer } from "../server-link/with-server.ts";
import { printResult } from "../tasks/print-result.ts";
import { waitForTask } from "../tasks/wait-for-task.ts";

interface TaskGetOptions extends TaskGetFlags {
  readonly id: string;
}

/** One task. Waited for or followed, the exit code says whether it completed. */
export function taskGet(context: CommandContext, options: TaskGetOptions): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen, io } = context;
    const { id, wait } = options;
    if (options.follow) await follow(context, client, options);
    // Asked first without waiting: an address at which there is no server is a mistake, not one that restarts.
    const now = await client.tasks.get(id, signal);
    const task = wait === undefined || options.follow || isTaskOver(now.status) ? now : await waitForTask(context, client, id, wait);
    if (options.result) {
      await printResult(context, client, task, wait);
      return 0;
    }
    if (!options.json) screen.print(renderTask(task, io.clock.now(), screen.colors));
    else if (!options.follow) screen.print(`${JSON.stringify(task)}\n`);
    if (typeof wait === "number" && !isTaskOver(task.status)) screen.note(screen.noteColors.yellow(`It isn't over after ${formatDuration(wait)}, and goes on`));
    return (wait === undefined && !options.follow) || task.status === "COMPLETE" ? 0 : 1;
  });
}

/** What it is, then each change, until it is over. */
async function follow({ screen, interrupt }: CommandContext, client: ControlClient, options: TaskGetOptions): Promise<void> {
  try {
    for await (const change of client.tasks.follow(options.id, interrupt.signal)) {
      screen.print(options.json ? `${JSON.stringify(change)}\n` : renderChange(change, screen.colors));
      if (isTaskOver(change.status)) return;
    }
  } catch (error) {
    throw interrupt.signal.aborted ? interrupt.signal.reason : toConnectionError(error, client.http.url);
  }
}
