import type { CallbackInfo } from "@samovar/protocol";
import { MAX_CALLBACKS, type CallbackPage } from "../client/callback-client.ts";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { CallbackListFlags } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { formatDistance, formatDuration } from "../output/durations.ts";
import { renderTable } from "../output/table.ts";
import { withServer } from "../server-link/with-server.ts";

export function callbackList(context: CommandContext, options: CallbackListFlags): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const { screen } = context;
    const { callbacks, cursor } = await listCallbacks(client, options, signal);
    if (options.json) screen.print(`${JSON.stringify({ callbacks })}\n`);
    else if (callbacks.length > 0) {
      screen.print(renderCallbacks(callbacks, context.io.clock.now(), screen.colors));
      if (cursor !== null) screen.note(screen.noteColors.dim(`There are more: --limit ${options.limit * 2} shows some of them`));
    } else screen.note(options.failed ? "No callback failed for good" : "No callbacks: functions with the option callbackUrl have some");
    return 0;
  });
}

/** As many as are asked for, from as many pages as that takes. */
async function listCallbacks(client: ControlClient, { failed, app, limit }: CallbackListFlags, signal: AbortSignal): Promise<CallbackPage> {
  const callbacks: CallbackInfo[] = [];
  let cursor: string | null = null;
  do {
    const query = { state: failed ? ("failed" as const) : undefined, app, limit: Math.min(MAX_CALLBACKS, limit - callbacks.length), cursor };
    const page: CallbackPage = await client.callbacks.list(query, signal);
    callbacks.push(...page.callbacks);
    cursor = page.callbacks.length === 0 ? null : page.cursor;
  } while (cursor !== null && callbacks.length < limit);
  return { callbacks, cursor };
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
