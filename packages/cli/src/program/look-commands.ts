import type { Command } from "commander";
import type { JsonFlag, LogFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption, tailOption } from "./options.ts";

/** What runs: ps, logs. */
export function addLookCommands(program: Command, choose: Choose): void {
  program
    .command("ps")
    .description("what runs: every function, with the reason where it is not serving")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar ps")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/ps.ts")).ps(context, options)));

  program
    .command("logs")
    .description("log lines of all functions, or of one")
    .argument("[name]", "a function's name")
    .option("-f, --follow", "go on with lines as they come")
    .addOption(tailOption())
    .addOption(jsonOption("one JSON object for each line"))
    .addHelpText("after", "\nExamples:\n  samovar logs -f\n  samovar logs predict --tail 20")
    .action((name: string | undefined, options: LogFlags) =>
      choose(async (context) => (await import("../commands/logs.ts")).logs(context, { name, ...options })),
    );
}
