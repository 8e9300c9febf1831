import type { Command } from "commander";
import type { CallbackListFlags, JsonFlag } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption } from "./options.ts";

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
