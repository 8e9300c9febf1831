import { SamovarError, type DeploymentInfo } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { RollbackFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";

export interface RollbackOptions extends RollbackFlags {
  readonly name?: string | undefined;
  readonly version?: number | undefined;
}

export async function deploymentRollback(context: CommandContext, options: RollbackOptions): Promise<ExitCode> {
  const { screen } = context;
  const version = toVersion(options);
  return await withServer(context, async (client, signal) => {
    if (options.app !== undefined) {
      const deployments = await client.rollbackApp(options.app, signal);
      screen.print(options.json ? `${JSON.stringify({ deployments })}\n` : deployments.map(describe).join(""));
    } else {
      const info = await client.rollback(options.name!, version, signal);
      screen.print(options.json ? `${JSON.stringify(info)}\n` : describe(info));
    }
    return 0;
  });
}

const describe = (info: DeploymentInfo): string => `${info.name} is at version ${info.activeVersion}: ${info.url}\n`;

/** Null: the one before. Throws where it is not clear what goes back. */
function toVersion({ name, version, to, app }: RollbackOptions): number | null {
  if ((name === undefined) === (app === undefined)) {
    throw new SamovarError(
      "invalid_request",
      name === undefined ? "Nothing is named that goes back" : `Both a deployment, ${name}, and --app ${app} are named`,
      {
        fields: { fix: "Name one deployment, or with --app an app" },
      },
    );
  }
  if (app !== undefined && to !== undefined) {
    throw new SamovarError("invalid_request", `--to ${to} is one deployment's version, and --app undoes the last deploy of all of it`, {
      fields: { fix: "Leave out --to, or name a deployment" },
    });
  }
  if (version !== undefined && to !== undefined && version !== to) {
    throw new SamovarError("invalid_request", `Two versions are given: ${version} and --to ${to}`, { fields: { fix: "Leave out one of them" } });
  }
  return version ?? to ?? null;
}
