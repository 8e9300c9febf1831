import { SamovarError, type ContainerInfo, type ExecRequest } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import { ExitError, type CommandContext, type ExitCode } from "../command-context.ts";
import { InterruptedError } from "../interrupt.ts";
import { openExec, type RemoteExec } from "./exec-client.ts";
import type { LocalTerminal } from "./local-terminal.ts";

export interface AttachOptions {
  readonly argv: readonly string[];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** What is typed or piped in goes to the program; without it, it reads an end of file at once. */
  readonly interactive: boolean;
  /** A terminal of its own for the program, as large as the one here. */
  readonly terminal: boolean;
}

/** Of a command that only looks at what happened after its program has ended. */
const LOOK_MS = 2_000;

/**
 * Runs a program in a container with this command's input and output, and resolves with its exit code.
 *
 * With a terminal, keys go there as they are typed, Ctrl-C too. Without one, the first Ctrl-C (or SIGTERM) goes to the program
 * as that signal, and the second leaves it. Whatever ends this command, the terminal here is as it was.
 */
export async function attach(context: CommandContext, client: ControlClient, containerId: string, options: AttachOptions): Promise<ExitCode> {
  const { io, interrupt } = context;
  const terminal = options.terminal ? assertTerminal(io.terminal) : null;
  const request = toRequest(options, terminal, io.env);
  const raw = terminal !== null && options.interactive;
  await using cleanUp = new AsyncDisposableStack();
  const exec = await openExec(
    client.http,
    containerId,
    request,
    {
      // Its very first line is for a terminal that leaves ends of lines alone.
      started: () => raw && cleanUp.defer(terminal.setRaw()),
      output: (stream, chunk) => void io[stream].write(chunk),
    },
    interrupt.signal,
  ).catch((error: unknown) => {
    throw toExitError(error);
  });
  cleanUp.defer(() => exec.hangUp());
  if (terminal) cleanUp.defer(terminal.onResize((size) => exec.resize(size)));

  const left = Promise.withResolvers<never>();
  left.promise.catch(() => {});
  const onInterrupt = (): void => {
    const reason: unknown = interrupt.signal.reason;
    if (raw || !(reason instanceof InterruptedError)) left.reject(reason);
    else exec.signal(reason.signal);
  };
  interrupt.signal.addEventListener("abort", onInterrupt, { once: true });
  cleanUp.defer(() => interrupt.signal.removeEventListener("abort", onInterrupt));

  if (options.interactive) void sendInput(io.stdin, exec);
  else if (!terminal) exec.endInput();
  const exit = await Promise.race([exec.exited, left.promise]);
  if (exit.signal === "SIGKILL" || exit.signal === "SIGHUP") await tellEnd(context, client, containerId);
  return exit.code;
}

/** A program that isn't there, or can't be run, ends as shells have it end. */
function toExitError(error: unknown): unknown {
  if (!(error instanceof SamovarError) || typeof error.fields.exitCode !== "number") return error;
  const { exitCode } = error.fields;
  const fix = "A command of a shell is run by -- sh -c '…', and `samovar shell` shows what is there";
  return new ExitError(new SamovarError(error.code, error.message, { fields: { ...error.fields, fix }, cause: error }), exitCode);
}

function toRequest({ argv, cwd, env }: AttachOptions, terminal: LocalTerminal | null, own: CommandContext["io"]["env"]): ExecRequest {
  // What the program must know in order to draw.
  const kind = terminal ? Object.fromEntries(["TERM", "COLORTERM"].flatMap((name) => (own[name] ? [[name, own[name]]] : []))) : {};
  return { argv, env: { ...kind, ...env }, ...(cwd === undefined ? {} : { cwd }), ...(terminal ? { terminal: terminal.size() } : {}) };
}

export function assertTerminal(terminal: LocalTerminal | null): LocalTerminal {
  if (terminal) return terminal;
  throw new SamovarError("invalid_request", "A terminal is asked for, but this command has none: its input or its output is something else", {
    fields: { fix: "Run it in a terminal, or run a program without one: samovar container exec ID -- CMD" },
  });
}

async function sendInput(input: AsyncIterable<Uint8Array>, exec: RemoteExec): Promise<void> {
  try {
    for await (const chunk of input) await exec.send(chunk);
  } catch {
    // An input that breaks ends.
  }
  exec.endInput();
}

/** A program is seldom killed by itself: where its container ended, that is told. */
async function tellEnd({ screen }: CommandContext, client: ControlClient, containerId: string): Promise<void> {
  const container: ContainerInfo | null = await client.container(containerId, AbortSignal.timeout(LOOK_MS)).catch(() => null);
  if (!container || (container.state !== "stopping" && container.state !== "ended")) return;
  screen.note(screen.noteColors.dim(`The container has ended${container.reason === null ? "" : `: ${container.reason}`}`));
}
