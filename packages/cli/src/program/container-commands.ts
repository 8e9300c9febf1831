import type { Command } from "commander";
import type { JsonFlag, LogFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption, tailOption } from "./options.ts";

export function addContainerCommands(program: Command, choose: Choose): void {
  const container = program.command("container").description("list, inspect and stop containers, and read their logs");

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
}
