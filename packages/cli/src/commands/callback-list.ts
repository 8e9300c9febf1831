import type { CallbackInfo } from "@samovar/protocol";
import { MAX_CALLBACKS } from "../client/callback-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { CallbackListFlags } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDistance, formatDuration } from "../output/durations.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export function callbackList(context: CommandContext, options: CallbackListFlags): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen } = context;
    const { limit } = options;
    // One more says whether there are more.
    const found = await client.callbacks.list(
      { state: options.failed ? "failed" : undefined, app: options.app, limit: Math.min(limit + 1, MAX_CALLBACKS) },
      signal,
    );
    const callbacks = found.slice(0, limit);
    if (options.json) screen.print(`${JSON.stringify({ callbacks })}\n`);
    else if (callbacks.length > 0) {
      screen.print(renderCallbacks(callbacks, context.io.clock.now(), screen.colors));
      if (found.length > limit) screen.note(screen.noteColors.dim(`There are more: --limit ${Math.min(limit * 2, MAX_CALLBACKS)} shows some of them`));
      else if (found.length === MAX_CALLBACKS) screen.note(screen.noteColors.dim(`There may be more: the server shows the newest ${MAX_CALLBACKS}`));
    } else screen.note(options.failed ? "No callback failed for good" : "No callbacks: functions with the option callbackUrl have some");
    return 0;
  });
}

function renderCallbacks(callbacks: readonly CallbackInfo[], nowMs: number, colors: Colors): string {
  return renderTable(
    callbacks,
    [
      { title: "ID", cell: (each) => each.id },
      { title: "TASK", cell: (each) => each.taskId },
      { title: "FUNCTION", cell: (each) => each.function },
      { title: "STATE", cell: (each) => paintState(each.state, colors) },
      { title: "ATTEMPTS", align: "right", cell: (each) => String(each.attempts) },
      { title: "AGE", align: "right", cell: (each) => formatDuration(nowMs - each.createdAtMs) },
      { title: "NEXT", cell: (each) => (each.dueAtMs === null ? "-" : formatDistance(each.dueAtMs, nowMs)) },
      { title: "URL", cell: (each) => each.url },
    ],
    (each) => each.lastError,
  );
}

function paintState(state: CallbackInfo["state"], colors: Colors): string {
  return state === "delivered" ? colors.green(state) : state === "failed" ? colors.red(state) : state;
}
