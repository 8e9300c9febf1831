import { SamovarError } from "@samovar/protocol";
import { ask } from "../ask.ts";
import { MAX_CALLBACKS } from "../client/callback-client.ts";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { CallbackRetryFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

/** Sends one that failed once more; or, after a receiver was away for long, all that failed. */
export function callbackRetry(context: CommandContext, options: CallbackRetryFlags & { readonly id?: string | undefined }): Promise<ExitCode> {
  const { id } = options;
  assertOne(options);
  return withServer(context, async (client, signal) => {
    if (id === undefined) return await retryFailed(context, client, options, signal);
    const callback = await client.callbacks.retry(id, signal);
    context.screen.print(options.json ? `${JSON.stringify(callback)}\n` : `${callback.id} is sent once more to ${callback.url}\n`);
    return 0;
  });
}

async function retryFailed(context: CommandContext, client: ControlClient, options: CallbackRetryFlags, signal: AbortSignal): Promise<ExitCode> {
  const { screen, io } = context;
  if (!options.yes && !io.isInteractive) {
    throw new SamovarError("invalid_request", "Nobody can be asked whether to send all callbacks that failed", {
      fields: { fix: "Add --yes, and look first: `samovar callback list --failed`" },
    });
  }
  if (!options.yes) {
    const { callbacks, cursor } = await client.callbacks.list({ state: "failed", app: options.app, limit: MAX_CALLBACKS }, signal);
    const count = cursor === null ? toCallbacks(callbacks.length) : `more than ${MAX_CALLBACKS} callbacks`;
    if (callbacks.length > 0 && !(await ask(context, `Send ${count} once more?`))) {
      screen.note("Nothing was sent");
      return 1;
    }
  }
  const changed = await client.callbacks.retryFailed(options.app, signal);
  screen.print(options.json ? `${JSON.stringify({ changed })}\n` : `${toCallbacks(changed)} ${changed === 1 ? "is" : "are"} sent once more\n`);
  return 0;
}

const toCallbacks = (count: number): string => (count === 1 ? "1 callback" : `${count} callbacks`);

function assertOne({ id, failed, app }: CallbackRetryFlags & { readonly id?: string | undefined }): void {
  if (id === undefined && !failed) {
    throw new SamovarError("invalid_request", "Nothing is said about which callback to send again", {
      fields: { fix: "Name it, `samovar callback retry ID`, or send all that failed with --failed" },
    });
  }
  if (id !== undefined && (failed || app !== undefined)) {
    throw new SamovarError("invalid_request", `${id} is one callback, and --${failed ? "failed" : "app"} says which of all are meant`, {
      fields: { fix: "Leave out one of them" },
    });
  }
}
