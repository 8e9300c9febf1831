import { SamovarError, type AppManifest, type ContainerInfo, type FunctionManifest } from "@samovar/protocol";
import { loaderOf } from "../app/app-loader.ts";
import { toAppRequest } from "../app/app-request.ts";
import { sendCode } from "../app/send-code.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { ShellFlags } from "../flags.ts";
import { orAborted } from "../interrupt.ts";
import { renderLogLine } from "../output/log-printer.ts";
import { selectFunction } from "../select-function.ts";
import { openServer, type OpenServer } from "../server-link/open-server.ts";
import { parseTarget, type Target } from "../target.ts";
import { attach } from "./attach.ts";

/** How long the container's stop hooks may take when the shell has ended. */
const DRAIN_MS = 10_000;

/** A container of a module's function, started for this shell, and gone with it. */
export async function moduleShell(context: CommandContext, options: ShellFlags & { readonly target: string }, argv: readonly string[]): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const target = parseTarget(options.target, io.cwd);
  const env = options.env ?? {};
  const loader = loaderOf(context, target, options);
  await using cleanUp = new AsyncDisposableStack();
  cleanUp.defer(() => loader.dispose());

  const progress = screen.progress(`Preparing ${target.label}`);
  cleanUp.defer(() => progress.done());
  const built = await loader.build();
  const host = await loader.start(built.bundle, interrupt.signal, (note) => screen.note(screen.noteColors.yellow(note)));
  // Only its manifest is wanted: what the module began when it was loaded ends.
  const { manifest } = host;
  await host.dispose();
  const fn = selectForShell(manifest, target);

  const server = await openServer(context, { kind: "run", label: options.target }, options.driver);
  cleanUp.defer(() => endSession(context, server));
  let shown = true;
  server.session.on((event) => {
    // In the shell itself they would stand in the midst of what is typed.
    if (event.type === "log" && shown) screen.writeError(renderLogLine(event.line, screen.noteColors));
    if (event.type === "progress") progress.update(event.message);
  });
  const ready = firstContainer(server);
  await sendCode(server.client, built.code, interrupt.signal);
  const request = toAppRequest(manifest, built.code.object, { env, forceBuild: options.forceBuild ?? false });
  const { functions } = await server.client.putApp(server.session.id, request, interrupt.signal);
  const served = functions.find((each) => each.name === fn.name)!;
  progress.update("Starting");
  await server.client.scale(served.id, { minContainers: 1 }, interrupt.signal);
  const container = await orAborted(ready(served.id), interrupt.signal);
  progress.done();
  shown = false;
  return await attach(context, server.client, container.id, { argv, interactive: true, terminal: true });
}

function selectForShell(manifest: AppManifest, target: Target): FunctionManifest {
  if (target.name === null && manifest.functions.length !== 1) {
    const names = manifest.functions.map((fn) => `${target.label}:${fn.name}`);
    throw new SamovarError(
      "invalid_request",
      `${target.label} has ${names.length === 0 ? "no functions" : `${names.length} functions`}: a shell is in a container of one`,
      {
        fields: {
          fix: names.length === 0 ? 'Define one and export it, such as export const hello = endpoint({}, () => "hi")' : `Name it: ${names.join(", ")}`,
        },
      },
    );
  }
  const fn = target.name === null ? manifest.functions[0]! : selectFunction(manifest, target);
  if (fn.requiresParameters)
    throw new SamovarError("unsupported", `The constructor of ${fn.name} has required parameters, which a shell can't give`, {
      fields: { fix: "Give them defaults, or call the class and take a shell into its container: `samovar shell CONTAINER_ID`" },
    });
  return fn;
}

/** What a function's first container comes to: it is listened for from the beginning, since it may be quick. */
function firstContainer({ session }: OpenServer): (functionId: string) => Promise<ContainerInfo> {
  const seen = new Map<string, ContainerInfo>();
  let look = (): void => {};
  session.on((event) => {
    if (event.type !== "container") return;
    seen.set(event.container.id, event.container);
    look();
  });
  return (functionId) => {
    const { promise, resolve, reject } = Promise.withResolvers<ContainerInfo>();
    look = () => {
      const own = [...seen.values()].filter((container) => container.functionId === functionId);
      const ready = own.find((container) => container.state === "ready");
      const failed = own.find((container) => container.state === "ended" || container.state === "stopping");
      if (ready) resolve(ready);
      else if (failed)
        reject(
          new SamovarError("start_failed", `The container did not start: ${failed.reason ?? "it ended"}`, { fields: { fix: "Mend the hook or the module" } }),
        );
    };
    look();
    session.ended.then(
      (reason) => reject(new SamovarError("shutting_down", `The server ended the session${reason ? `: ${reason}` : ""}`)),
      (error: unknown) => reject(error as Error),
    );
    return promise;
  };
}

async function endSession({ interrupt, screen }: CommandContext, { client, session }: OpenServer): Promise<void> {
  try {
    await screen.during("Stopping the container", () => orAborted(session.close(DRAIN_MS, "done"), interrupt.forced));
  } catch {
    // The server is gone, or Ctrl-C came twice: hanging up says the same.
  } finally {
    session.hangUp();
    client.dispose();
  }
}
