import type { Command } from "commander";
import { Option } from "commander";
import type { DeployFlags, InitFlags, RunFlags, ServeFlags } from "../flags.ts";
import { TEMPLATES } from "../init/templates.ts";
import type { Choose } from "./invocation.ts";
import { appOption, driverOption, envOption, forceBuildOption, jsonOption, toDurationMs } from "./options.ts";

/** What a module's author types: init, run, serve, deploy. */
export function addAppCommands(program: Command, choose: Choose): void {
  program
    .command("init")
    .description("make a new app that runs, in this folder or a new one; nothing is overwritten")
    .argument("[folder]", "where (default: this folder)")
    .addOption(new Option("--template <name>", "what it begins with").choices(Object.keys(TEMPLATES)).default("hello"))
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  samovar init my-app && cd my-app && samovar run app.ts\n  samovar init --template map")
    .action((folder: string | undefined, options: InitFlags) =>
      choose(async (context) => (await import("../commands/init.ts")).init(context, { folder, ...options })),
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
are); logs of containers and everything else go to stderr. The exit code is 0 or main's own, 1 after an error, 130 after
Ctrl-C.

Examples:
  samovar run app.ts                                    the default export, main
  samovar run app.ts -- --verbose data.csv              with arguments
  samovar run app.ts:predict --input '{"text":"hi"}'    one function
  echo '[1,2]' | samovar run app.ts:sum --input -
  samovar run app.ts:model.tokens --with '["large"]' --input '"hi"'`,
    )
    .action((target: string, args: string[], options: RunFlags) =>
      choose(async (context) => (await import("../commands/run.ts")).run(context, { target, args, ...options })),
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
    .action((target: string, options: ServeFlags) => choose(async (context) => (await import("../commands/serve.ts")).serve(context, { target, ...options })));

  program
    .command("deploy")
    .description("make a module's functions the next version of themselves on a server that stays")
    .argument("<target>", "FILE, or FILE:NAME to deploy one function only")
    .option("--name <name>", "another name for the one function that is deployed")
    .addOption(jsonOption())
    .option("--prune", "stop functions of this app that the module no longer has")
    .option("--no-wait", "switch without waiting for containers of the new version")
    .option("--take-over", "take names that another app deployed")
    .addOption(appOption())
    .addOption(envOption())
    .addOption(forceBuildOption())
    .addHelpText(
      "after",
      `
All functions of the app switch to their new versions at once, or none does: after an error, or Ctrl-C, the old ones go
on serving. It needs a server that stays, such as that of \`samovar up -d\`. URLs, or with --json one line, go to
stdout, everything else to stderr. The exit code is 0, 1 after an error, 130 after Ctrl-C.

Examples:
  samovar deploy app.ts
  samovar deploy app.ts:predict --name predict-beta    one function, under another name
  samovar deploy app.ts --prune --json                 in a script`,
    )
    .action((target: string, options: DeployFlags) =>
      choose(async (context) => (await import("../commands/deploy.ts")).deploy(context, { target, ...options })),
    );
}
