import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TokenFlags } from "../flags.ts";
import { formatDuration } from "../output/durations.ts";
import { withServer } from "../server-link/with-server.ts";

/** The token alone goes to stdout, so that it can be kept without being seen. */
export async function tokenCreate(context: CommandContext, options: TokenFlags & { readonly name: string }): Promise<ExitCode> {
  const { screen } = context;
  return await withServer(context, async (client, signal) => {
    const created = await client.createToken(
      {
        name: options.name,
        scopes: options.scope,
        ...(options.app === undefined ? {} : { app: options.app }),
        ...(options.expires === undefined ? {} : { expiresInMs: options.expires }),
      },
      signal,
    );
    if (options.json) {
      screen.print(`${JSON.stringify(created)}\n`);
      return 0;
    }
    const end = options.expires === undefined ? "it doesn't expire" : `it expires in ${formatDuration(options.expires)}`;
    screen.note(
      screen.noteColors.dim(
        `${created.id} ${created.name}: ${created.scopes.join(", ")}${created.app === null ? "" : `, only for the app ${created.app}`}; ${end}. It is shown this once:`,
      ),
    );
    screen.print(`${created.token}\n`);
    return 0;
  });
}
