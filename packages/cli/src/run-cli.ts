import { CommanderError, type Command } from "commander";
import { ExitError, type CommandContext } from "./command-context.ts";
import { createInterrupt, InterruptedError, orAborted } from "./interrupt.ts";
import type { CliIo } from "./io.ts";
import { renderError } from "./output/error-report.ts";
import { Screen } from "./output/screen.ts";
import type { Invocation } from "./program/invocation.ts";
import { createProgram } from "./program.ts";
import { parseSettings } from "./settings.ts";
import { CLI_VERSION } from "./version.ts";

/**
 * Runs one command line in this process and returns its exit code. Never throws: whatever goes wrong is told on
 * stderr, here and nowhere else.
 */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const parsed = parseCommandLine(argv, io);
  if (typeof parsed === "number") return parsed;

  const interrupt = createInterrupt(io);
  let screen = new Screen(io, undefined);
  let debug = false;
  try {
    const settings = parseSettings(io);
    debug = settings.debug;
    screen = new Screen(io, settings.color);
    const context: CommandContext = { io, settings, screen, interrupt };
    return await orAborted(parsed(context), interrupt.forced);
  } catch (error) {
    screen.dispose();
    // After Ctrl-C, things fail because they were interrupted: that is not told as an error.
    const reason: unknown = interrupt.signal.aborted ? interrupt.signal.reason : error;
    if (reason instanceof InterruptedError) {
      if (debug && reason !== error) screen.note(renderError(error, { colors: screen.noteColors, debug }));
      return reason.exitCode;
    }
    screen.note(renderError(error instanceof ExitError ? error.cause : error, { colors: screen.noteColors, debug }));
    return error instanceof ExitError ? error.exitCode : 1;
  } finally {
    screen.dispose();
    interrupt.dispose();
  }
}

/** What to run; or, where there is nothing left to do (help, version, a usage error), the exit code. */
function parseCommandLine(argv: readonly string[], io: CliIo): Invocation | number {
  let invocation: Invocation | undefined;
  const program = createProgram(CLI_VERSION, (chosen) => (invocation = chosen));
  const configure = (command: typeof program): void => {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns || 100,
      getErrHelpWidth: () => io.stderr.columns || 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
    for (const child of command.commands) configure(child);
  };
  configure(program);
  if (argv.length === 0) {
    program.outputHelp();
    return 0;
  }
  try {
    program.parse(spellOutHelp(program, argv), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) io.stderr.write("  → `samovar --help` lists the commands, `samovar COMMAND --help` the options of one\n");
    return error.exitCode;
  }
  return invocation ?? 1;
}

/** `help container exec` as `container exec --help`. A name that there is not is left to be refused as a command that there is not. */
function spellOutHelp(program: Command, argv: readonly string[]): readonly string[] {
  const [first, ...names] = argv;
  if (first !== "help" || names.length === 0) return argv;
  const path: string[] = [];
  for (let command = program; command.commands.length > 0 && path.length < names.length;) {
    const name = names[path.length]!;
    const child = command.commands.find((each) => each.name() === name || each.aliases().includes(name));
    // Without a command of its own to run, that is all that it comes to. Options, and `help help`, are `help`'s.
    if (!child) return name.startsWith("-") || name === "help" ? argv : [...path, name];
    path.push(name);
    command = child;
  }
  return [...path, "--help"];
}
