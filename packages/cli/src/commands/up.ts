import { join, resolve } from "node:path";
import { makeFolders } from "@samovar/kit";
import { DEFAULT_HOST, DEFAULT_PORT } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { ControlClient } from "../client/control-client.ts";
import { orAborted } from "../interrupt.ts";
import { renderServer } from "../output/server-report.ts";
import type { UpFlags } from "../flags.ts";
import { inHome } from "../server-link/in-home.ts";
import { quoteForShell } from "../output/shell-words.ts";
import { startServerProcess } from "../server-link/server-process.ts";

/** Starts a server that stays: in this process until Ctrl-C, or with `--detach` beside it. */
export async function up(context: CommandContext, options: UpFlags): Promise<ExitCode> {
  const home = options.data === undefined ? context.settings.home : resolve(context.io.cwd, options.data);
  await inHome(home, async () => makeFolders(home, 0o700));
  return options.detach ? await upDetached(context, options, home) : await upHere(context, options, home);
}

async function upDetached(context: CommandContext, options: UpFlags, home: string): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const server = await screen.during("Starting the server", () =>
    startServerProcess({ home, embedded: false, host: options.host, port: options.port, driver: options.driver, env: io.env }, interrupt.signal),
  );
  server.release();
  await report(context, server, home);
  return 0;
}

/** First Ctrl-C: inputs finish, containers run their stop hooks. Second: at once. */
async function upHere(context: CommandContext, options: UpFlags, home: string): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const { createServerLog, parseServerConfig, startServer } = await import("@samovar/server");
  const config = parseServerConfig({
    ...io.env,
    SAMOVAR_HOME: home,
    SAMOVAR_EMBEDDED: "0",
    SAMOVAR_HOST: options.host ?? io.env.SAMOVAR_HOST ?? DEFAULT_HOST,
    SAMOVAR_PORT: String(options.port ?? io.env.SAMOVAR_PORT ?? DEFAULT_PORT),
    ...(options.driver === undefined ? {} : { SAMOVAR_DRIVER: options.driver }),
  });
  const server = await startServer({ config, logger: createServerLog(config.logLevel) });
  try {
    await report(context, { url: server.url, token: server.adminToken }, home);
    await orAborted(server.closed, interrupt.signal);
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    screen.note("Stopping: running inputs finish first. Ctrl-C again ends it at once");
    const onForced = (): void => server.shutdown("interrupt");
    interrupt.forced.addEventListener("abort", onForced, { once: true });
    server.shutdown("interrupt");
    await server.closed;
    return 0;
  }
}

async function report({ screen, interrupt, settings }: CommandContext, server: { readonly url: string; readonly token: string }, home: string): Promise<void> {
  const client = await ControlClient.create(server.url, server.token);
  try {
    const info = await client.server(interrupt.signal);
    screen.print(
      `${renderServer(info, screen.colors)}token     ${join(home, "admin-token")}: ${home === settings.home ? "the CLI reads it there" : "the CLI reads it where SAMOVAR_HOME is this folder"}; others send it as Authorization: Bearer TOKEN\n`,
    );
    // Other commands look in the home of the environment, and would say that no server runs.
    if (home !== settings.home) screen.note(`Other commands find it with \`export SAMOVAR_HOME=${quoteForShell(home)}\``);
  } finally {
    client.dispose();
  }
}
