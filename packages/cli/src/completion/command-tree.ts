import type { Command } from "commander";
import { argumentKind, optionKind, type ValueKind } from "./value-kinds.ts";

/** A command as completion sees it. */
export interface CommandNode {
  /** Below `samovar`, with spaces: empty for `samovar` itself. */
  readonly path: string;
  readonly commands: readonly { readonly names: readonly string[]; readonly description: string }[];
  readonly options: readonly CompletedOption[];
  /** One for each argument in order; the last goes on where `variadic`. */
  readonly values: readonly ValueKind[];
  readonly variadic: boolean;
}

export interface CompletedOption {
  /** `-n`, `--tail`. */
  readonly flags: readonly string[];
  readonly description: string;
  /** What follows it; null: nothing does. */
  readonly value: ValueKind | null;
}

/** Every command of the program, groups before what is in them; aliases are commands too. */
export function toCommandTree(program: Command): readonly CommandNode[] {
  return walk(program, "");
}

function walk(command: Command, path: string): CommandNode[] {
  const children = command.createHelp().visibleCommands(command);
  const node: CommandNode = {
    path,
    commands: children.map((child) => ({ names: [child.name(), ...child.aliases()], description: child.description() })),
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => ({
        flags: [option.short, option.long].filter((flag) => flag !== undefined),
        description: option.description,
        value: !option.required && !option.optional ? null : (option.argChoices ?? optionKind(option.long)),
      })),
    values: command.registeredArguments.map((argument) => argument.argChoices ?? argumentKind(path, argument.name())),
    variadic: command.registeredArguments.at(-1)?.variadic ?? false,
  };
  const below = children
    .filter((child) => child.name() !== "help")
    .flatMap((child) => [child.name(), ...child.aliases()].flatMap((name) => walk(child, path === "" ? name : `${path} ${name}`)));
  return path === "" ? [node, ...below, ...[node, ...below].filter(({ commands }) => commands.length > 0).map(toHelpOf)] : [node, ...below];
}

/** `samovar help COMMAND` takes the commands that `samovar COMMAND` takes. */
const toHelpOf = (node: CommandNode): CommandNode => ({ ...node, path: `help ${node.path}`.trim(), options: [], values: [], variadic: false });

/** A kind as the scripts spell it. */
export const toKindWord = (kind: ValueKind): string => (typeof kind === "string" ? kind : `one of ${kind.join(" ")}`);
