import { describeNear } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { toApps } from "../tasks/known-names.ts";
import { withServer } from "../server-link/with-server.ts";

/** The secret and nothing else, for a pipe. */
export function callbackSecret(context: CommandContext, options: { readonly app?: string }): Promise<ExitCode> {
  return withServer(context, async (client, signal) => {
    const app = options.app ?? (await onlyApp(client, signal));
    if (options.app !== undefined) await tellUnknown(context, client, options.app, signal);
    context.screen.print(`${await client.callbacks.secret(app, signal)}\n`);
    return 0;
  });
}

/** A receiver may need the secret before the first deploy, so that it is told for any name; a misspelt one would only be seen when all callbacks are refused. */
async function tellUnknown({ screen }: CommandContext, client: ControlClient, app: string, signal: AbortSignal): Promise<void> {
  const apps = toApps(await client.functions(signal));
  if (apps.includes(app)) return;
  screen.note(
    screen.noteColors.yellow(
      `No app ${app} is deployed or served here, and only callbacks of an app of that name have this secret${describeNear(app, apps, "apps")}`,
    ),
  );
}

/** Each app has a secret of its own: where there are several, one must be named. */
async function onlyApp(client: ControlClient, signal: AbortSignal): Promise<string> {
  const apps = [...new Set((await client.deployments(signal)).map((each) => each.app))].toSorted();
  if (apps.length === 1) return apps[0]!;
  throw new SamovarError(
    "invalid_request",
    apps.length === 0 ? "No app is deployed, and each has a secret of its own" : "Each app has a secret of its own, and several are deployed",
    {
      fields: { fix: apps.length === 0 ? "Name one: --app NAME" : `Name one: ${apps.map((app) => `--app ${app}`).join(", ")}` },
    },
  );
}
