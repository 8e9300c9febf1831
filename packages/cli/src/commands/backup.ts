import { stat } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { SamovarError } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag } from "../flags.ts";
import { formatBytes, formatDuration } from "../output/durations.ts";
import { withServer } from "../server-link/with-server.ts";

/** The server writes the file, where it runs; it is there whole or not at all. */
export async function backup(context: CommandContext, options: JsonFlag & { readonly file: string }): Promise<ExitCode> {
  const { io, screen, settings } = context;
  if (settings.url !== null && !isAbsolute(options.file)) {
    throw new SamovarError("invalid_request", `${options.file} is relative, and the server that SAMOVAR_URL names may run elsewhere`, {
      fields: { fix: "Give an absolute path on the server's machine" },
    });
  }
  const file = resolve(io.cwd, options.file);
  return await withServer(context, async (client, signal) => {
    const startedMs = io.clock.monotonic();
    await screen.during(`Writing ${file}`, () => client.backup(file, signal));
    const durationMs = Math.round(io.clock.monotonic() - startedMs);
    const bytes = settings.url === null ? await sizeOf(file) : null;
    const size = bytes === null ? "" : `: ${formatBytes(bytes)}`;
    screen.print(options.json ? `${JSON.stringify({ file, bytes, durationMs })}\n` : `Wrote ${file}${size} in ${formatDuration(durationMs)}\n`);
    return 0;
  });
}

/** Null where it can't be seen from here. */
const sizeOf = (file: string): Promise<number | null> =>
  stat(file).then(
    ({ size }) => size,
    () => null,
  );
