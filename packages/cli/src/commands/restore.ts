import { resolve } from "node:path";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { RestoreFlags } from "../flags.ts";
import { formatDateTime, formatDuration } from "../output/durations.ts";
import { quoteForShell } from "../output/shell-words.ts";
import { inHome } from "../server-link/in-home.ts";
import { makeFolders } from "@samovar/kit";

/** Makes a backup the state of a home. Without a server: whoever holds the home's lock would go on with the old one. */
export async function restore(context: CommandContext, options: RestoreFlags & { readonly file: string }): Promise<ExitCode> {
  const { io, screen, settings } = context;
  const home = options.data === undefined ? settings.home : resolve(io.cwd, options.data);
  const file = resolve(io.cwd, options.file);
  const startedMs = io.clock.monotonic();
  await inHome(home, async () => makeFolders(home, 0o700));
  const { restoreHome } = await import("@samovar/server");
  const restored = await screen.during(`Restoring ${home}`, () => restoreHome({ file, home, replace: options.force ?? false, clock: io.clock }));
  if (options.json) {
    screen.print(`${JSON.stringify(restored)}\n`);
    return 0;
  }
  const { deployments, aside, createdAtMs, missingCode } = restored;
  const of = createdAtMs === null ? "" : `, a backup of ${formatDateTime(createdAtMs)}`;
  screen.print(
    `Restored ${home}${of}, in ${formatDuration(io.clock.monotonic() - startedMs)}: ${deployments === 1 ? "1 deployment" : `${deployments} deployments`}\n`,
  );
  if (aside !== null) screen.print(`What was there before lies in ${aside}\n`);
  if (missingCode.length > 0) {
    screen.note(screen.noteColors.yellow(`The file has no code of ${missingCode.join(", ")}: deploy ${missingCode.length === 1 ? "it" : "them"} again`));
  }
  // By the environment and not by --data, so that other commands find it too.
  const at = home === settings.home ? "" : `export SAMOVAR_HOME=${quoteForShell(home)}; `;
  screen.note(`Start the server with \`${at}samovar up -d\``);
  return 0;
}
