import type { Command } from "commander";
import type { CallbackListFlags, JsonFlag, WaitFlag } from "../flags.ts";
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

/** What the server tells others when tasks end: callback list, retry, secret. */
export function addCallbackCommands(program: Command, choose: Choose): void {
  const callback = program.command("callback").description("what is posted to callbackUrl: see what arrived, send again, print the secret");

  callback
    .command("list")
    .description("callbacks, newest first, and why those that failed did")
    .option("--failed", "only those that are no longer tried")
    .option("--app <name>", "only those of this app")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar callback list --failed")
    .action((options: CallbackListFlags) => choose(async (context) => (await import("../commands/callback-list.ts")).callbackList(context, options)));

  callback
    .command("retry")
    .description("send one that failed once more, from the beginning")
    .argument("<id>", "the callback's id")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar callback retry ID")
    .action((id: string, options: JsonFlag) =>
      choose(async (context) => (await import("../commands/callback-retry.ts")).callbackRetry(context, { id, ...options })),
    );

  callback
    .command("secret")
    .description("print the secret that an app's callbacks are signed with, alone on stdout")
    .option("--app <name>", "whose; may be left out where one app is deployed")
    .addHelpText("after", "\nExample:\n  samovar callback secret --app models > samovar.secret")
    .action((options: { app?: string }) => choose(async (context) => (await import("../commands/callback-secret.ts")).callbackSecret(context, options)));
}
