import { Command } from "commander";
import { addAppCommands } from "./program/app-commands.ts";
import { addCallbackCommands } from "./program/callback-commands.ts";
import { addCompletionCommands } from "./program/completion-commands.ts";
import { addContainerCommands, addShellCommand } from "./program/container-commands.ts";
import { addDeploymentCommands } from "./program/deployment-commands.ts";
import type { Choose } from "./program/invocation.ts";
import { addLookCommands } from "./program/look-commands.ts";
import { addScheduleCommands } from "./program/schedule-commands.ts";
import { addServerCommands } from "./program/server-commands.ts";
import { addTaskCommands } from "./program/task-commands.ts";
import { addTokenCommands } from "./program/token-commands.ts";

/**
 * The whole command line as data: commands, arguments, options, help. A command's code is imported when it runs,
 * so that `samovar --version` loads none of it. Each group of commands has a file in program/.
 */
export function createProgram(version: string, choose: Choose): Command {
  const program = new Command("samovar")
    .description("Run functions, classes and services in warm containers, on your own machines")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command...]", "show help for a command, such as container exec")
    .showSuggestionAfterError(true)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .addHelpText(
      "after",
      `
Examples:
  samovar run app.ts                                  run the module's main, with .remote() live
  samovar run app.ts:predict --input '{"text":"hi"}'  call one function, print its result
  samovar serve app.ts                                serve it, reload on change
  samovar up -d && samovar deploy app.ts              on a server that stays, in versions

Environment:
  SAMOVAR_HOME   folder of the server's state (default ~/.samovar)
  SAMOVAR_URL    use the server at this address, with SAMOVAR_TOKEN
  SAMOVAR_DEBUG  1: show stacks of errors that are not your code's
  NO_COLOR       no colours`,
    );

  addAppCommands(program, choose);
  addServerCommands(program, choose);
  addLookCommands(program, choose);
  addContainerCommands(program, choose);
  addShellCommand(program, choose);
  addDeploymentCommands(program, choose);
  addTaskCommands(program, choose);
  addScheduleCommands(program, choose);
  addCallbackCommands(program, choose);
  addTokenCommands(program, choose);
  addCompletionCommands(program, choose);
  return program;
}
