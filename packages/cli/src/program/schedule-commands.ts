import type { Command } from "commander";
import type { JsonFlag, WaitFlag } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption } from "./options.ts";
import { waitOption } from "./task-options.ts";

/** What runs at its times: schedule list, inspect, run, pause, resume. */
export function addScheduleCommands(program: Command, choose: Choose): void {
  const schedule = program.command("schedule").description("list schedules with their next runs, run one now, pause and resume them");

  schedule
    .command("list")
    .description("every schedule with its next and its last run")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar schedule list")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/schedule-list.ts")).scheduleList(context, options)));

  schedule
    .command("inspect")
    .description("one schedule: its rules and its next five runs, here and in its own timezone")
    .argument("<name>", "the schedule's name")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar schedule inspect cleanup")
    .action((name: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/schedule-inspect.ts")).scheduleInspect(context, { name, ...options })),
    );

  schedule
    .command("run")
    .description("run it once now, beside its times, also while it is paused; prints the task's id")
    .argument("<name>", "the schedule's name")
    .addOption(waitOption("wait until it is over, or for so long, and print its result"))
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar schedule run cleanup --wait")
    .action((name: string, options: WaitFlag & JsonFlag) =>
      choose(async (context) => (await import("../commands/schedule-run.ts")).scheduleRun(context, { name, ...options })),
    );

  for (const verb of ["pause", "resume"] as const) {
    schedule
      .command(verb)
      .description(verb === "pause" ? "no more runs at its times, until it is resumed" : "run at its times again; those that passed are not made up for")
      .argument("<name>", "the schedule's name")
      .addOption(jsonOption())
      .addHelpText("after", `\nExample:\n  samovar schedule ${verb} cleanup`)
      .action((name: string, options: JsonFlag) =>
        choose(async (context) => (await import("../commands/schedule-switch.ts")).scheduleSwitch(context, verb, { name, ...options })),
      );
  }
}
