import type { DeploymentInfo } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

type SwitchOptions = JsonFlag & { readonly name: string };

/** Returns when new calls are refused; what runs may go on for as long as its drain timeout says. */
export function deploymentStop(context: CommandContext, options: SwitchOptions): Promise<ExitCode> {
  return change(
    context,
    options,
    (client, signal) => client.stopDeployment(options.name, signal),
    ({ name }) => `${name} is stopped: running inputs finish, new calls are refused until \`samovar deployment start ${name}\``,
  );
}

export function deploymentStart(context: CommandContext, options: SwitchOptions): Promise<ExitCode> {
  return change(
    context,
    options,
    (client, signal) => client.startDeployment(options.name, signal),
    ({ name, activeVersion, url }) => `${name} takes calls again: version ${activeVersion} at ${url}`,
  );
}

async function change(
  context: CommandContext,
  options: SwitchOptions,
  ask: (client: ControlClient, signal: AbortSignal) => Promise<DeploymentInfo>,
  tell: (info: DeploymentInfo) => string,
): Promise<ExitCode> {
  return await withServer(context, async (client, signal) => {
    const info = await ask(client, signal);
    context.screen.print(`${options.json ? JSON.stringify(info) : tell(info)}\n`);
    return 0;
  });
}
