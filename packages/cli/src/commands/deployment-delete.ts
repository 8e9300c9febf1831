import { SamovarError } from "@samovar/protocol";
import { ask } from "../ask.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { DeleteFlags } from "../flags.ts";
import { connectServer } from "../server-link/open-server.ts";

/** Asks at a terminal. What can't be brought back isn't done for a script that doesn't say `--yes`. */
export async function deploymentDelete(context: CommandContext, options: DeleteFlags & { readonly name: string }): Promise<ExitCode> {
  const { screen, interrupt } = context;
  const { name, version } = parseNameAndVersion(options.name);
  if (!options.yes && !context.io.isInteractive) {
    throw new SamovarError("invalid_request", `Nobody can be asked whether to delete ${options.name}`, { fields: { fix: "Add --yes" } });
  }
  const client = await connectServer(context);
  try {
    if (!options.yes) {
      const detail = await client.deployment(name, interrupt.signal);
      const what =
        version === null
          ? `Delete ${name} with ${detail.versions.length === 1 ? "its one version" : `all of its ${detail.versions.length} versions`}? Calls to it will fail`
          : `Delete version ${version} of ${name}?`;
      if (!(await ask(context, what))) {
        screen.note("Nothing was deleted");
        return 1;
      }
    }
    await client.deleteDeployment(name, version, interrupt.signal);
    screen.print(options.json ? `${JSON.stringify({ name, version })}\n` : `${version === null ? name : `${name}@${version}`} is deleted\n`);
    return 0;
  } finally {
    client.dispose();
  }
}

/** `NAME` or `NAME@2`. */
function parseNameAndVersion(text: string): { readonly name: string; readonly version: number | null } {
  const at = text.indexOf("@");
  if (at === -1) return { name: text, version: null };
  const digits = text.slice(at + 1);
  if (at > 0 && /^[1-9]\d{0,8}$/.test(digits)) return { name: text.slice(0, at), version: Number(digits) };
  throw new SamovarError("invalid_request", `${JSON.stringify(text)} is neither a name nor NAME@VERSION`, {
    fields: { fix: "Write something like predict or predict@2" },
  });
}
