import { InvalidArgumentError, Option, type Command } from "commander";
import type { DeleteFlags, JsonFlag, RollbackFlags, ScaleFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption, toDurationMs } from "./options.ts";

/** What is deployed: deployment list, inspect, stop, start, scale, rollback, delete. */
export function addDeploymentCommands(program: Command, choose: Choose): void {
  const deployment = program.command("deployment").description("list, inspect, stop, start, scale, roll back and delete what is deployed");

  deployment
    .command("list")
    .description("every deployed function with its active version and, where it is not serving, why")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar deployment list")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/deployment-list.ts")).deploymentList(context, options)));

  deployment
    .command("inspect")
    .description("one deployment: its versions, its pool, what was scaled since its last deploy")
    .argument("<name>", "the deployment's name")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar deployment inspect predict")
    .action((name: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/deployment-inspect.ts")).deploymentInspect(context, { name, ...options })),
    );

  deployment
    .command("stop")
    .description("let its inputs finish and refuse new calls, until it is started")
    .argument("<name>", "the deployment's name")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar deployment stop predict")
    .action((name: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/deployment-switch.ts")).deploymentStop(context, { name, ...options })),
    );

  deployment
    .command("start")
    .description("take calls again")
    .argument("<name>", "the deployment's name")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar deployment start predict")
    .action((name: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/deployment-switch.ts")).deploymentStart(context, { name, ...options })),
    );

  deployment
    .command("scale")
    .description("change how many containers a live deployment has; the next deploy resets it")
    .argument("<name>", "the deployment's name")
    .argument("[containers]", "the floor: how many are kept running", toCount)
    .option("--min <n>", "the floor: how many containers are kept running", toCount)
    .option("--max <n>", "the ceiling; none for what the machine can hold", toCeiling)
    .option("--buffer <n>", "how many more than needed are kept ready while there is work", toCount)
    .addOption(new Option("--window <duration>", "how long a container stays without work, at least 2 s; never for always").argParser(toWindow))
    .option("--tasks <n>", "inputs per container that it aims at; 0 for workers × concurrency target", toCount)
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  samovar deployment scale predict 2\n  samovar deployment scale predict --max none --window 5m")
    .action((name: string, containers: number | undefined, options: ScaleFlags) =>
      choose(async (context) => (await import("../commands/deployment-scale.ts")).deploymentScale(context, { name, containers, ...options })),
    );

  deployment
    .command("rollback")
    .description("go back to the version that was active before, or to one that you name; no hook runs")
    .argument("[name]", "the deployment's name")
    .argument("[version]", "the version; by default the one that was active before", toVersion)
    .option("--to <version>", "the same", toVersion)
    .option("--app <name>", "all of an app, to what it was before its last deploy")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nExamples:\n  samovar deployment rollback predict\n  samovar deployment rollback predict 3\n  samovar deployment rollback --app models",
    )
    .action((name: string | undefined, version: number | undefined, options: RollbackFlags) =>
      choose(async (context) => (await import("../commands/deployment-rollback.ts")).deploymentRollback(context, { name, version, ...options })),
    );

  deployment
    .command("delete")
    .description("remove a deployment with all its versions, or as NAME@2 one version that is not active")
    .argument("<name>", "the deployment's name, or NAME@VERSION")
    .option("-y, --yes", "don't ask; without a terminal, where nobody can be asked, it has to be said")
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  samovar deployment delete predict\n  samovar deployment delete predict@2 --yes")
    .action((name: string, options: DeleteFlags) =>
      choose(async (context) => (await import("../commands/deployment-delete.ts")).deploymentDelete(context, { name, ...options })),
    );
}

function toCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("It has to be a whole number, 0 or more.");
  return Number(text);
}

function toCeiling(text: string): number | "none" {
  if (text === "none") return text;
  const ceiling = Number(text);
  if (!/^\d{1,9}$/.test(text) || ceiling === 0) throw new InvalidArgumentError("It has to be a number from 1, or none.");
  return ceiling;
}

/** Of `scaledownWindow`. */
const LEAST_WINDOW_MS = 2_000;

function toWindow(text: string): number | "never" {
  if (text === "never") return text;
  const windowMs = toDurationMs(text);
  if (windowMs < LEAST_WINDOW_MS) throw new InvalidArgumentError("It has to be at least 2 s, or never.");
  return windowMs;
}

function toVersion(text: string): number {
  const version = Number(text);
  if (!/^\d{1,9}$/.test(text) || version === 0) throw new InvalidArgumentError("It has to be the number of a version, such as 3.");
  return version;
}
