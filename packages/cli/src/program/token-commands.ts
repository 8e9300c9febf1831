import { InvalidArgumentError, Option, type Command } from "commander";
import type { TokenScope } from "@samovar/protocol";
import type { JsonFlag, TokenFlags } from "../flags.ts";
import type { Choose } from "./invocation.ts";
import { jsonOption, toDurationMs } from "./options.ts";

const SCOPES: readonly TokenScope[] = ["invoke", "deploy", "admin"];

/** Who may do what: token create, list, revoke. */
export function addTokenCommands(program: Command, choose: Choose): void {
  const token = program.command("token").description("make, list and revoke the tokens that calls and commands carry");

  token
    .command("create")
    .description("a new token, printed once: the server keeps its hash")
    .argument("<name>", "what it is for, to find it again")
    .addOption(
      new Option("--scope <scopes>", "what it may do, with commas between: invoke (call functions), deploy, admin (all)")
        .default(["invoke"], "invoke")
        .argParser(toScopes),
    )
    .option("--app <name>", "only for functions of this app")
    .addOption(new Option("--expires <duration>", "after this long it is worth nothing, such as 12h or 30d; by default never").argParser(toExpiryMs))
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nOnly the token goes to stdout.\n\nExamples:\n  samovar token create website --app models\n  samovar token create ci --scope deploy,invoke --expires 30d > token",
    )
    .action((name: string, options: TokenFlags) =>
      choose(async (context) => (await import("../commands/token-create.ts")).tokenCreate(context, { name, ...options })),
    );

  token
    .command("list")
    .description("the tokens that there are, without what is secret of them")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  samovar token list")
    .action((options: JsonFlag) => choose(async (context) => (await import("../commands/token-list.ts")).tokenList(context, options)));

  token
    .command("revoke")
    .alias("delete")
    .description("take a token's worth away, at once")
    .argument("<token>", "its id or its name")
    .addHelpText("after", "\nExample:\n  samovar token revoke ci")
    .action((idOrName: string) => choose(async (context) => (await import("../commands/token-revoke.ts")).tokenRevoke(context, { idOrName })));
}

function toScopes(text: string): TokenScope[] {
  const scopes = text.split(",").map((part) => part.trim());
  const unknown = scopes.find((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (unknown !== undefined) throw new InvalidArgumentError(`${JSON.stringify(unknown)} is no scope: there are ${SCOPES.join(", ")}.`);
  return [...new Set(scopes)] as TokenScope[];
}

function toExpiryMs(text: string): number {
  const ms = toDurationMs(text);
  if (ms === 0) throw new InvalidArgumentError("It has to be longer than 0; leave it out for a token that doesn't expire.");
  return ms;
}
