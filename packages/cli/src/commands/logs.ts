import { SamovarError } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { LogFlags } from "../flags.ts";
import { withServer } from "../server-link/with-server.ts";
import { printLogs } from "../print-logs.ts";

export async function logs(context: CommandContext, options: LogFlags & { readonly name?: string | undefined }): Promise<ExitCode> {
  return await withServer(context, async (client, signal) => {
    const print = (name: string | undefined): Promise<ExitCode> =>
      printLogs(context, client, { name, follow: options.follow ?? false, tail: options.tail }, options.json ?? false);
    return await print(options.name).catch(async (error: unknown) => {
      const served = await findServed(client, options.name, error, signal);
      if (served === undefined) throw error;
      return await print(served);
    });
  });
}

/** What the name is called while `samovar serve` serves it, where nothing has the name itself. */
async function findServed(client: ControlClient, name: string | undefined, error: unknown, signal: AbortSignal): Promise<string | undefined> {
  if (name === undefined || !(error instanceof SamovarError) || error.code !== "not_found") return undefined;
  const functions = await client.functions(signal);
  return functions.find((fn) => fn.session !== null && fn.name.toLowerCase() === `${name}-dev`.toLowerCase())?.name;
}
