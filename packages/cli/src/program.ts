import type { RunFlags, ServeFlags, UpFlags, JsonFlag, LogFlags } from "./flags.ts";
import { Command, InvalidArgumentError, Option } from "commander";
import { parseDuration } from "@samovar/protocol";
import type { CommandContext, ExitCode } from "./command-context.ts";

/** A parsed command line: what to run. */
export type Invocation = (context: CommandContext) => Promise<ExitCode>;

/**
 * The whole command line as data: commands, arguments, options, help. A command's code is imported when it runs,
 * so that `samovar --version` loads none of it.
 */
export function createProgram(version: string, choose: (invocation: Invocation) => void): Command {
  const program = new Command("samovar")
    .description("Run functions, classes and services in warm containers, on your own machines")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .addHelpText(
      "after",
      `
Examples:
  samovar run app.ts                                  run the module's main, with .remote() live
  samovar run app.ts:predict --input '{"text":"hi"}'  call one function, print its result
  samovar serve app.ts                                serve it, reload on change
  samovar up -d && samovar status                     a server that stays

Environment:
  SAMOVAR_HOME   folder of the server's state (default ~/.samovar)
  SAMOVAR_URL    use the server at this address, with SAMOVAR_TOKEN
  SAMOVAR_DEBUG  1: show stacks of errors that are not your code's
  NO_COLOR       no colours`,
    );

  program
    .command("run")
    .description("run a module's main, or call one of its functions once; everything ends with it")
    .argument("<target>", "FILE, FILE:NAME or FILE:NAME.METHOD")
    .argument("[args...]", "arguments for main; those that begin with a dash after --")
    .option("--input <json>", "the function's input: JSON, - for stdin, @FILE for a file")
    .option("--with <json>", "a class's constructor parameters: a JSON array, or one value")
    .addOption(appOption())
    .addOption(envOption())
    .addOption(driverOption())
    .addOption(forceBuildOption())
    .addHelpText(
      "after",
      `
The result goes to stdout as one line of JSON (undefined as null, a generator's items one line each, bytes as they
are); logs of containers and everything else go to stderr. The exit code is 0, 1 after an error, 130 after Ctrl-C.

Examples:
  samovar run app.ts                                    the default export, main
  samovar run app.ts -- --verbose data.csv              with arguments
  samovar run app.ts:predict --input '{"text":"hi"}'    one function
  echo '[1,2]' | samovar run app.ts:sum --input -
  samovar run app.ts:model.tokens --with '["large"]' --input '"hi"'`,
    )
    .action((target: string, args: string[], options: RunFlags) =>
      choose(async (context) => (await import("./commands/run.ts")).run(context, { target, args, ...options })),
    );

  program
    .command("serve")
    .description("serve a module's functions and reload them when a file changes")
    .argument("<target>", "FILE, or FILE:NAME to show one function only")
    .addOption(
      new Option("--timeout <duration>", "end after this long without requests, edits or log followers; 0 = never")
        .default(600_000, "10m")
        .argParser(toDurationMs),
    )
    .addOption(appOption())
    .addOption(envOption())
    .addOption(driverOption())
    .addOption(forceBuildOption())
    .addHelpText(
      "after",
      `
Names of served functions end in -dev, so that deployed routes are not taken. An error in an edit is shown and the
last good code goes on serving. Ctrl-C lets inputs finish for 10 s, and the exit code is 0; a second one ends it at
once, with 130.

Examples:
  samovar serve app.ts
  samovar serve app.ts:predict --timeout 0`,
    )
    .action((target: string, options: ServeFlags) => choose(async (context) => (await import("./commands/serve.ts")).serve(context, { target, ...options })));

  program
    .command("up")
    .description("start a server that stays")
    .option("-d, --detach", "return when it is ready; it writes to logs/server.log in its home")
    .option("--port <port>", "port to listen on (default 8700)", toPort)
    .option("--host <address>", "address to listen on (default 127.0.0.1)")
    .option("--data <folder>", "folder of its state (default SAMOVAR_HOME)")
    .addOption(driverOption())
    .addHelpText("after", "\nExamples:\n  samovar up\n  samovar up -d --port 9000")
    .action((options: UpFlags) => choose(async (context) => (await import("./commands/up.ts")).up(context, options)));

  program
    .command("down")
    .description("stop the server: running inputs finish first; returns when it is gone")
    .addHelpText("after", "\nExample:\n  samovar down")
    .action(() => choose(async (context) => (await import("./commands/down.ts")).down(context)));

  program
    .command("status")
    .description("the server, and what this machine can't isolate or limit; exit code 1 when none runs")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar status --json")
    .action((options: JsonFlag) => choose(async (context) => (await import("./commands/status.ts")).status(context, options)));

  program
    .command("ps")
    .description("what runs: every function, with the reason where it is not serving")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar ps")
    .action((options: JsonFlag) => choose(async (context) => (await import("./commands/ps.ts")).ps(context, options)));

  program
    .command("logs")
    .description("log lines of all functions, or of one")
    .argument("[name]", "a function's name")
    .option("-f, --follow", "go on with lines as they come")
    .addOption(tailOption())
    .addOption(jsonOption("one JSON object for each line"))
    .addHelpText("after", "\nExamples:\n  samovar logs -f\n  samovar logs predict --tail 20")
    .action((name: string | undefined, options: LogFlags) =>
      choose(async (context) => (await import("./commands/logs.ts")).logs(context, { name, ...options })),
    );

  addContainerCommands(program, choose);
  return program;
}

function addContainerCommands(program: Command, choose: (invocation: Invocation) => void): void {
  const container = program.command("container").description("list, inspect and stop containers, and read their logs");

  container
    .command("list")
    .description("containers that live; with --all also those that ended lately")
    .option("-a, --all", "also those that ended")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar container list --all")
    .action((options: JsonFlag & { all?: boolean }) =>
      choose(async (context) => (await import("./commands/container-list.ts")).containerList(context, options)),
    );

  container
    .command("inspect")
    .description("one container, with its phases as a waterfall")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar container inspect ct_7x")
    .action((id: string, options: JsonFlag) =>
      choose(async (context) => (await import("./commands/container-inspect.ts")).containerInspect(context, { id, ...options })),
    );

  container
    .command("stop")
    .description("let a container's inputs finish, run its stop hooks, end it")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .option("--force", "kill it at once")
    .addHelpText("after", "\nExample:\n  samovar container stop ct_7x")
    .action((id: string, options: { force?: boolean }) =>
      choose(async (context) => (await import("./commands/container-stop.ts")).containerStop(context, { id, ...options })),
    );

  container
    .command("logs")
    .description("log lines of one container")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .option("-f, --follow", "go on with lines as they come")
    .addOption(tailOption())
    .addOption(jsonOption("one JSON object for each line"))
    .addHelpText("after", "\nExample:\n  samovar container logs -f ct_7x")
    .action((id: string, options: LogFlags) =>
      choose(async (context) => (await import("./commands/container-logs.ts")).containerLogs(context, { id, ...options })),
    );
}

const appOption = (): Option => new Option("--app <name>", "the app's name, unless the module says it with new App(name)");
const driverOption = (): Option => new Option("--driver <name>", "what starts containers: process");
const forceBuildOption = (): Option => new Option("--force-build", "run onBuild hooks also where their result is cached");
const jsonOption = (description = "JSON in place of text"): Option => new Option("--json", description);
const tailOption = (): Option => new Option("-n, --tail <lines>", "how many of the last lines come first").default(100).argParser(toCount);

function envOption(): Option {
  return new Option("-e, --env <K=V>", "a variable for every function and for main; may be repeated").argParser(
    (text: string, before: Record<string, string> | undefined) => {
      const at = text.indexOf("=");
      if (at < 1) throw new InvalidArgumentError("It has to be NAME=VALUE.");
      return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
    },
  );
}

function toDurationMs(text: string): number {
  let ms: number;
  try {
    ms = parseDuration(text, "--timeout");
  } catch {
    throw new InvalidArgumentError("Give seconds, or a number with ms, s, m or h, such as 30s or 5m.");
  }
  if (ms < 0) throw new InvalidArgumentError("It can't be negative; 0 means never.");
  return ms;
}

function toPort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("It has to be a number from 0 to 65535; 0 takes a free one.");
  return port;
}

function toCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It has to be a number of lines.");
  return Number(text);
}
