import { SamovarError, type AppManifest, type DeployEvent, type DeployRequest, type DeployResponse } from "@samovar/protocol";
import { loaderOf, type AppLoader, type BuiltApp } from "../app/app-loader.ts";
import { toAppRequest } from "../app/app-request.ts";
import { sendCode } from "../app/send-code.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { chooseFunctions } from "../deploy/choose-functions.ts";
import { describeLeft, renderDeployed } from "../deploy/deploy-report.ts";
import { showSteps } from "../deploy/steps.ts";
import type { DeployFlags } from "../flags.ts";
import { orAborted } from "../interrupt.ts";
import { formatDuration } from "../output/durations.ts";
import { renderError } from "../output/error-report.ts";
import { renderLogLine } from "../output/log-printer.ts";
import { TypeChecks } from "../serve/type-checks.ts";
import { connectStayingServer } from "../server-link/open-server.ts";
import { parseTarget, type Target } from "../target.ts";
import { findSchedules, renderNextRuns } from "../tasks/next-runs.ts";

export interface DeployOptions extends DeployFlags {
  readonly target: string;
}

/**
 * Makes a module's functions the next versions of themselves on a server that stays: all of them or, when anything
 * fails on the way or Ctrl-C comes, none.
 */
export async function deploy(context: CommandContext, options: DeployOptions): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const { noteColors } = screen;
  const target = parseDeployTarget(options.target, io.cwd);
  const startedMs = io.clock.monotonic();
  const env = options.env ?? {};
  await using cleanUp = new AsyncDisposableStack();
  // First, because without a server all else is work for nothing.
  const client = await connectStayingServer(context);
  cleanUp.defer(() => client.dispose());
  const loader = loaderOf(context, target, options, { quiet: true, withPackages: true });
  cleanUp.defer(() => loader.dispose());
  const steps = showSteps(context, `Loading ${target.label}`);
  cleanUp.defer(() => steps.done());

  const app = await load(context, loader);
  const { manifest, only } = chooseFunctions(app.manifest, target, options.name);
  for (const note of app.notes) screen.note(noteColors.dim(note));
  steps.update("Sending the code");
  await sendCode(client, app.code, interrupt.signal);
  const request: DeployRequest = {
    ...toAppRequest(manifest, app.code.object, { env, forceBuild: options.forceBuild ?? false }),
    ...(only === null ? {} : { only: [only] }),
    ...(options.prune ? { prune: true } : {}),
    ...(options.wait ? {} : { noWait: true }),
    ...(options.takeOver ? { takeOver: true } : {}),
  };

  // While the server works.
  const types = checkTypes(context, target);
  cleanUp.defer(() => types.dispose());
  steps.update("Deploying");
  const tell = (event: DeployEvent): void => {
    if (event.type === "progress") steps.update(event.message);
    else if (event.type === "note") screen.note(noteColors.dim(event.message));
    else if (event.type === "log") screen.writeError(renderLogLine(event.line, noteColors));
  };
  const response = await client.deploy(request, tell, interrupt.signal).catch((error: unknown) => {
    if (interrupt.signal.aborted) screen.note("The deploy was given up: what was deployed before goes on serving");
    throw error;
  });
  const schedules = options.json ? [] : await findSchedules(client, response.functions, interrupt.signal);
  steps.done();
  tellDeployed(context, manifest, response, options);
  if (schedules.length > 0) screen.print(renderNextRuns(schedules, io.clock.now(), screen.colors));
  screen.note(`${noteColors.green(`Deployed ${response.app}`)} ${noteColors.dim(`in ${formatDuration(io.clock.monotonic() - startedMs)}`)}`);

  // It is deployed: a Ctrl-C now only ends the wait for the check.
  await screen.during("Checking types", () => orAborted(types.settled(), interrupt.signal)).catch(() => {});
  return 0;
}

function parseDeployTarget(text: string, cwd: string): Target {
  const target = parseTarget(text, cwd);
  if (target.method === null) return target;
  throw new SamovarError("invalid_request", `A class is deployed with all its methods, and ${text} names one of them`, {
    fields: { fix: `Deploy the class: samovar deploy ${target.label}:${target.name}` },
  });
}

/** What the module prints while it is loaded goes to stderr: stdout has the result. */
async function load({ screen, interrupt }: CommandContext, loader: AppLoader): Promise<BuiltApp & { readonly manifest: AppManifest }> {
  const built = await loader.build();
  interrupt.signal.throwIfAborted();
  const host = await loader.start(built.bundle, interrupt.signal, (note) => screen.note(screen.noteColors.yellow(note)));
  host.stdout?.on("data", (chunk: Buffer) => screen.writeError(chunk));
  host.stderr?.on("data", (chunk: Buffer) => screen.writeError(chunk));
  try {
    return { ...built, manifest: host.manifest };
  } finally {
    await host.dispose();
  }
}

function checkTypes({ screen, settings, interrupt }: CommandContext, target: Target): TypeChecks {
  const types = new TypeChecks(target.file, screen.noteColors.enabled, (result) => {
    // A terminal's Ctrl-C reaches the compiler too: that is no failure of it.
    if (interrupt.signal.aborted) return;
    if ("failed" in result) screen.note(renderError(result.failed, { colors: screen.noteColors, debug: settings.debug }));
    else if (!result.ok) screen.note(`${result.text}\n${screen.noteColors.yellow("Type errors don't stop a deploy")}`);
  });
  types.start();
  return types;
}

function tellDeployed({ screen, settings }: CommandContext, manifest: AppManifest, response: DeployResponse, options: DeployOptions): void {
  const { app, functions, ...rest } = response;
  screen.print(options.json ? `${JSON.stringify({ app, functions, ...rest })}\n` : renderDeployed(manifest, response, settings, screen.colors));
  for (const note of describeLeft(response, options.target)) screen.note(screen.noteColors.yellow(note));
}
