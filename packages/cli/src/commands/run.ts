import { createHttpTransport } from "samovar/internal";
import type { AppHost } from "@samovar/bundler";
import { SamovarError, type AppManifest, type AppResponse } from "@samovar/protocol";
import { loaderOf, type AppLoader, type BuiltApp } from "../app/app-loader.ts";
import { toAppRequest, type AppRequestFlags } from "../app/app-request.ts";
import { sendCode } from "../app/send-code.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { orAborted } from "../interrupt.ts";
import { renderLogLine } from "../output/log-printer.ts";
import type { RunFlags } from "../flags.ts";
import { selectCallable, type Selection } from "../select-function.ts";
import { openServer, type OpenServer } from "../server-link/open-server.ts";
import { parseTarget, type Target } from "../target.ts";
import { callOnce } from "./run-call.ts";
import { readInput, parseParameters } from "./run-input.ts";

export interface RunOptions extends RunFlags {
  readonly target: string;
  readonly args: readonly string[];
}

interface LoadedApp extends BuiltApp {
  readonly host: AppHost;
}

/** How long inputs that main left running may go on when it has ended. */
const DRAIN_MS = 10_000;

/**
 * An app for as long as this command lasts: bundled, given to a server, used, taken away again.
 *
 * Whatever ends it (a result, an error, Ctrl-C), the session is closed and waited for, so that stop hooks have run
 * and their output is seen; a second Ctrl-C doesn't wait.
 */
export async function run(context: CommandContext, options: RunOptions): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const target = parseTarget(options.target, io.cwd);
  assertFlags(target, options);
  const parameters = parseParameters(options.with);
  const input = await orAborted(readInput(options.input, io), interrupt.signal);

  const env = options.env ?? {};
  const loader = loaderOf(context, target, options);
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => loader.dispose());

  const progress = screen.progress(`Preparing ${target.label}`);
  // Side by side: neither needs the other, and each takes its time.
  const [app, server] = await bothOrNone(
    load(loader, interrupt.signal, (note) => screen.note(screen.noteColors.yellow(note))),
    openServer(context, { kind: "run", label: options.target }, options.driver),
  );
  cleanUp.defer(() => endSession(context, server));
  cleanUp.defer(() => app.host.dispose());
  server.session.on((event) => {
    if (event.type === "log") screen.writeError(renderLogLine(event.line, screen.noteColors));
    if (event.type === "progress") progress.update(event.message);
    if (event.type === "note") screen.note(screen.noteColors.dim(event.message));
  });
  for (const note of app.notes) screen.note(screen.noteColors.dim(note));
  forwardOutput(context, app.host);

  const { manifest } = app.host;
  const selection = target.name === null ? null : selectCallable(manifest, target);
  // Only main runs here: what the module began when it was loaded ends.
  if (selection) await app.host.dispose();
  else assertMain(manifest, target);
  const functions = manifest.functions.length === 0 ? [] : (await put(context, server, app, { env, forceBuild: options.forceBuild ?? false })).functions;
  progress.update("Starting");
  const serverLost = server.session.ended.then((reason) => {
    throw new SamovarError("shutting_down", `The server ended the session${reason ? `: ${reason}` : ""}`);
  });
  serverLost.catch(() => {});

  if (!selection) {
    progress.done();
    return await runMain(context, app.host, server, functions, options.args, serverLost);
  }
  return await orAborted(
    Promise.race([serverLost, callSelected(context, server, functions, selection, parameters, input).finally(() => progress.done())]),
    interrupt.signal,
  );
}

async function load(loader: AppLoader, signal: AbortSignal, onSlow: (note: string) => void): Promise<LoadedApp> {
  const built = await loader.build();
  signal.throwIfAborted();
  return { ...built, host: await loader.start(built.bundle, signal, onSlow) };
}

async function put(context: CommandContext, server: OpenServer, app: LoadedApp, flags: AppRequestFlags): Promise<AppResponse> {
  const { signal } = context.interrupt;
  await sendCode(server.client, app.code, signal);
  return await server.client.putApp(server.session.id, toAppRequest(app.host.manifest, app.code.object, flags), signal);
}

async function callSelected(
  context: CommandContext,
  server: OpenServer,
  functions: AppResponse["functions"],
  selection: Selection,
  parameters: readonly unknown[],
  input: unknown,
): Promise<ExitCode> {
  if (parameters.length > 0 && selection.fn.kind !== "cls")
    throw new SamovarError("invalid_request", `--with gives parameters to a class, and ${selection.fn.name} is none`, { fields: { fix: "Leave out --with" } });
  if (parameters.length === 0 && selection.fn.requiresParameters)
    throw new SamovarError("invalid_request", `The constructor of ${selection.fn.name} has required parameters`, {
      fields: { fix: `Give them as JSON: --with '["…"]'` },
    });
  const transport = createHttpTransport({ url: server.url, token: server.token ?? undefined, functionIds: toFunctionIds(functions) });
  try {
    await callOnce(context, transport, selection, parameters, input);
    return 0;
  } finally {
    transport.close();
  }
}

/** Calls go by id, so that they never meet another app's function of the same name. */
const toFunctionIds = (functions: AppResponse["functions"]): Record<string, string> => Object.fromEntries(functions.map((fn) => [fn.name, fn.id]));

async function runMain(
  context: CommandContext,
  host: AppHost,
  server: OpenServer,
  functions: AppResponse["functions"],
  args: readonly string[],
  serverLost: Promise<never>,
): Promise<ExitCode> {
  const { signal } = context.interrupt;
  // Inputs that main waits for may finish first; then main is told, whatever it does.
  const onInterrupt = (): void =>
    void server.session
      .close(DRAIN_MS, "interrupt")
      .catch(() => {})
      .finally(() => host.interrupt());
  signal.addEventListener("abort", onInterrupt, { once: true });
  // That end of the session is our own doing.
  const lost = serverLost.catch((error: unknown): Promise<never> => {
    if (signal.aborted) return new Promise(() => {});
    throw error;
  });
  try {
    const transport = { url: server.url, token: server.token ?? "", functionIds: toFunctionIds(functions) };
    const code = await Promise.race([lost, host.runMain({ args, transport: functions.length > 0 ? transport : null })]);
    if (signal.aborted) throw signal.reason;
    return code;
  } finally {
    signal.removeEventListener("abort", onInterrupt);
  }
}

function forwardOutput({ io, screen }: CommandContext, host: AppHost): void {
  host.stdout?.on("data", (chunk: Buffer) => io.stdout.write(chunk));
  host.stderr?.on("data", (chunk: Buffer) => screen.writeError(chunk));
}

async function endSession({ interrupt, screen }: CommandContext, { client, session }: OpenServer): Promise<void> {
  try {
    await screen.during("Stopping containers", () => orAborted(session.close(DRAIN_MS, interrupt.signal.aborted ? "interrupt" : "done"), interrupt.forced));
  } catch {
    // The server is gone, or Ctrl-C came twice: hanging up says the same.
  } finally {
    session.hangUp();
    client.dispose();
  }
}

/** Both results, or the first error after the other's result was undone. */
async function bothOrNone(load: Promise<LoadedApp>, open: Promise<OpenServer>): Promise<[LoadedApp, OpenServer]> {
  const [app, server] = await Promise.allSettled([load, open]);
  if (app.status === "fulfilled" && server.status === "fulfilled") return [app.value, server.value];
  if (app.status === "fulfilled") await app.value.host.dispose();
  if (server.status === "fulfilled") {
    server.value.session.hangUp();
    server.value.client.dispose();
  }
  throw app.status === "rejected" ? app.reason : (server as PromiseRejectedResult).reason;
}

function assertFlags(target: Target, options: RunOptions): void {
  if (target.name === null && (options.input !== undefined || options.with !== undefined)) {
    throw new SamovarError("invalid_request", `${options.input !== undefined ? "--input" : "--with"} goes to a function, and ${target.label} names none`, {
      fields: { fix: `Write ${target.label}:NAME; arguments for main stand after the file` },
    });
  }
  if (target.name !== null && options.args.length > 0) {
    throw new SamovarError("invalid_request", `Arguments go to main, and ${options.target} names a function: ${options.args.join(" ")}`, {
      fields: { fix: `Pass its input: --input '${options.args[0]}'` },
    });
  }
}

function assertMain(manifest: AppManifest, target: Target): void {
  if (manifest.hasMain) return;
  const names = manifest.functions.flatMap((fn) =>
    fn.kind === "cls" ? Object.keys(fn.methods).map((method) => `${target.label}:${fn.name}.${method}`) : [`${target.label}:${fn.name}`],
  );
  throw new SamovarError("invalid_request", `${target.label} has no default export to run`, {
    fields: { fix: `Add export default async function main() { … }${names.length > 0 ? `, or call a function: ${names.join(", ")}` : ""}` },
  });
}
