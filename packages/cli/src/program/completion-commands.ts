import { Argument, type Command } from "commander";
import type { Shell } from "../commands/completion.ts";
import type { Choose } from "./invocation.ts";

/** Completion of shells. What their scripts ask, `samovar __complete KIND`, is no command: main.ts answers it before any is loaded. */
export function addCompletionCommands(program: Command, choose: Choose): void {
  program
    .command("completion")
    .description("print a script that completes commands, options and names in a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      `
Examples:
  samovar completion bash > ~/.local/share/bash-completion/completions/samovar
  samovar completion zsh > ~/.zsh/_samovar    a folder of fpath; or source <(samovar completion zsh)
  samovar completion fish > ~/.config/fish/completions/samovar.fish`,
    )
    .action((shell: Shell) => choose(async (context) => (await import("../commands/completion.ts")).completion(context, { shell, program })));
}
