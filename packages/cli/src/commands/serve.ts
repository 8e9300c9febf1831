import type { CommandContext, ExitCode } from "../command-context.ts";
import { loaderOf } from "../app/app-loader.ts";
import { SamovarError } from "@samovar/protocol";
import { orAborted } from "../interrupt.ts";
import { formatDuration } from "../output/durations.ts";
import { renderLogLine } from "../output/log-printer.ts";
import type { ServeFlags } from "../flags.ts";
import { IdleTimer } from "../serve/idle-timer.ts";
import { Reloader } from "../serve/reloader.ts";
import { openServer } from "../server-link/open-server.ts";
import { parseTarget } from "../target.ts";

/** How long inputs may run on after the first Ctrl-C. */
const DRAIN_MS = 10_000;

export interface ServeOptions extends ServeFlags {
  readonly target: string;
}

/** Serves a module until Ctrl-C or until nobody uses it; edits replace its code, errors in them don't end it. */
export async function serve(context: CommandContext, options: ServeOptions): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const target = parseTarget(options.target, io.cwd);
  const env = options.env ?? {};
  const loader = loaderOf(context, target, options);
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => loader.dispose());

  const server = await screen.during("Starting the server", () => openServer(context, { kind: "serve", label: options.target }, options.driver));
  const { client, session } = server;
  cleanUp.defer(() => {
    session.hangUp();
    client.dispose();
  });

  const idle = Promise.withResolvers<"idle">();
  const hopeless = Promise.withResolvers<never>();
  hopeless.promise.catch(() => {});
  const reloader = new Reloader(context, {
    loader,
    server,
    target,
    env,
    forceBuild: options.forceBuild ?? false,
    onEdit: () => timer.touch(),
    onHopeless: (error) => hopeless.reject(error),
  });
  const timer = new IdleTimer(
    io.clock,
    options.timeout,
    () => reloader.isBusy(),
    () => idle.resolve("idle"),
  );
  cleanUp.defer(() => timer.dispose());
  cleanUp.defer(() => reloader.dispose());
  session.on((event) => {
    if (event.type === "log") screen.writeError(renderLogLine(event.line, screen.noteColors));
    if (event.type === "progress") reloader.showProgress(event.message);
    if (event.type === "note") screen.note(screen.noteColors.dim(event.message));
    if (event.type === "activity") timer.touch();
  });
  reloader.begin();

  const ended = session.ended.then((reason): never => {
    throw new SamovarError("shutting_down", `The server ended the session${reason ? `: ${reason}` : ""}`, {
      fields: { fix: "Start it again with `samovar serve`" },
    });
  });
  ended.catch(() => {});
  try {
    await orAborted(Promise.race([ended, idle.promise, hopeless.promise]), interrupt.signal);
    screen.note(`Nothing happened for ${formatDuration(options.timeout)}: ended. --timeout 0 keeps it`);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    screen.note("Stopping: inputs may finish for 10 s. Ctrl-C again ends it at once");
  }
  await reloader.dispose();
  await screen.during("Stopping containers", () => orAborted(session.close(DRAIN_MS, interrupt.signal.aborted ? "interrupt" : "idle"), interrupt.forced));
  return 0;
}
