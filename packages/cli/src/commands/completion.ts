import type { Command } from "commander";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { toBashScript } from "../completion/bash.ts";
import { toCommandTree, type CommandNode } from "../completion/command-tree.ts";
import { toFishScript } from "../completion/fish.ts";
import { toZshScript } from "../completion/zsh.ts";

export type Shell = "bash" | "zsh" | "fish";

const SCRIPTS: Readonly<Record<Shell, (tree: readonly CommandNode[]) => string>> = { bash: toBashScript, zsh: toZshScript, fish: toFishScript };

/** Made from the program itself: a command that is there is completed. */
export async function completion({ screen }: CommandContext, options: { readonly shell: Shell; readonly program: Command }): Promise<ExitCode> {
  screen.print(SCRIPTS[options.shell](toCommandTree(options.program)));
  return 0;
}
