import type { Command } from "commander";
import type { ExecFlags, JsonFlag, LogFlags, ShellFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { appOption, driverOption, envOption, forceBuildOption, jsonOption, tailOption } from "./options.ts";

export function addContainerCommands(program: Command, choose: Choose): void {
  const container = program.command("container").description("list, inspect and stop containers, read their logs, run programs in them");

  container
    .command("list")
    .description("containers that live; with --all also those that ended lately")
    .option("-a, --all", "also those that ended")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar container list --all")
    .action((options: JsonFlag & { all?: boolean }) =>
      choose(async (context) => (await import("../commands/container-list.ts")).containerList(context, options)),
    );

  container
    .command("inspect")
    .description("one container, with its phases as a waterfall")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar container inspect ct_7x")
    .action((id: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/container-inspect.ts")).containerInspect(context, { id, ...options })),
    );

  container
    .command("stop")
    .description("let a container's inputs finish, run its stop hooks, end it")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .option("--force", "kill it at once")
    .addHelpText("after", "\nExample:\n  samovar container stop ct_7x")
    .action((id: string, options: { force?: boolean }) =>
      choose(async (context) => (await import("../commands/container-stop.ts")).containerStop(context, { id, ...options })),
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
      choose(async (context) => (await import("../commands/container-logs.ts")).containerLogs(context, { id, ...options })),
    );

  container
    .command("exec")
    .description("run a program in a container; its exit code is the command's")
    .argument("<id>", "the container's id, or a beginning that only it has")
    .argument("<command...>", "the program and its arguments, after --")
    .option("-i, --interactive", "send it what is typed or piped in")
    .option("-t, --terminal", "give it a terminal")
    .option("--cwd <folder>", "where it runs, as the container sees it (default: the code's folder)")
    .addOption(envOption("a variable beside the container's own; may be repeated"))
    .addHelpText(
      "after",
      `
Without -t its stdout and stderr stay apart, and Ctrl-C goes to it as a signal; with -it, all keys do. The exit code is
128 and the signal's number for a program that a signal ended, 127 for one that is not there, 126 for one that can't be run.

Examples:
  samovar container exec ct_7x -- ls -l
  samovar container exec -it ct_7x -- node
  samovar container exec -i ct_7x -- sh -c 'cat > data.json' < data.json`,
    )
    .action((id: string, command: string[], options: ExecFlags) =>
      choose(async (context) => (await import("../commands/container-exec.ts")).containerExec(context, { id, command, ...options })),
    );
}

export function addShellCommand(program: Command, choose: Choose): void {
  program
    .command("shell")
    .description("a terminal in a container that lives, or in one that is started for it")
    .argument("[target]", "a function's name, a container's id, or FILE or FILE:NAME")
    .option("--cmd <command>", "what runs there, by sh -c (default: bash, or sh where there is none)")
    .addOption(appOption())
    .addOption(envOption())
    .addOption(driverOption())
    .addOption(forceBuildOption())
    .addHelpText(
      "after",
      `
A function's name means its newest container that takes inputs; left out, the only container there is. With FILE or
FILE:NAME a container is started for the shell and ends with it; only then --app, --env, --driver and --force-build count.
The exit code is that of what ran there.

Examples:
  samovar shell predict
  samovar shell ct_7x --cmd 'node --version; exec sh'
  samovar shell app.ts:predict`,
    )
    .action((target: string | undefined, options: ShellFlags) =>
      choose(async (context) => (await import("../commands/shell.ts")).shell(context, { target, ...options })),
    );
}
