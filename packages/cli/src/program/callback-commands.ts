import type { Command } from "commander";
import type { CallbackListFlags, CallbackRetryFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption } from "./options.ts";
import { limitOption } from "./task-options.ts";

/** What the server tells others when tasks end: callback list, retry, secret. */
export function addCallbackCommands(program: Command, choose: Choose): void {
  const callback = program.command("callback").description("what is posted to callbackUrl: see what arrived, send again, print the secret");

  callback
    .command("list")
    .description("callbacks, newest first, and why those that failed did")
    .option("--failed", "only those that are no longer tried")
    .option("--app <name>", "only those of this app")
    .addOption(limitOption())
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar callback list --failed")
    .action((options: CallbackListFlags) => choose(async (context) => (await import("../commands/callback-list.ts")).callbackList(context, options)));

  callback
    .command("retry")
    .description("send what failed once more, from the beginning: one, or all")
    .argument("[id]", "the callback's id")
    .option("--failed", "in place of an id, all that are no longer tried")
    .option("--app <name>", "with --failed, only those of this app")
    .option("-y, --yes", "don't ask before many are sent")
    .addOption(jsonOption())
    .addHelpText("after", "\nExamples:\n  samovar callback retry ID\n  samovar callback retry --failed --app shop")
    .action((id: string | undefined, options: CallbackRetryFlags) =>
      choose(async (context) => (await import("../commands/callback-retry.ts")).callbackRetry(context, { id, ...options })),
    );

  callback
    .command("secret")
    .description("print the secret that an app's callbacks are signed with, alone on stdout")
    .option("--app <name>", "whose; may be left out where one app is deployed")
    .addHelpText("after", "\nExample:\n  samovar callback secret --app models > samovar.secret")
    .action((options: { app?: string }) => choose(async (context) => (await import("../commands/callback-secret.ts")).callbackSecret(context, options)));
}
