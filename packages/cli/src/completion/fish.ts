import { toKindWord, type CommandNode } from "./command-tree.ts";

export function toFishScript(tree: readonly CommandNode[]): string {
  return `# fish completion of samovar. To load it: samovar completion fish | source

# What can follow a command: each prints lines, or fails where there is no such command or nothing follows.
function __samovar_is_command
    contains -- "$argv[1]" ${tree.map((node) => quote(node.path)).join(" ")}
end

function __samovar_commands
    switch "$argv[1]"
${toCases(tree, (node) => node.commands.flatMap(({ names, description }) => names.map((name) => `${name}\t${description}`)))}
    end
end

function __samovar_options
    switch "$argv[1]"
${toCases(tree, (node) => node.options.flatMap(({ flags, description }) => flags.map((flag) => `${flag}\t${description}`)))}
    end
end

# The kinds of a command's arguments; the last once more where it may be repeated.
function __samovar_kinds
    switch "$argv[1]"
${toCases(tree, (node) => [...node.values.map(toKindWord), ...(node.variadic ? ["more"] : [])])}
    end
end

# The kind of what follows an option of a command.
function __samovar_option
    switch "$argv[1] $argv[2]"
${tree
  .flatMap((node) => node.options.filter(({ value }) => value !== null).map((option) => ({ path: node.path, ...option })))
  .map(({ path, flags, value }) => `        case ${flags.map((flag) => quote(`${path} ${flag}`)).join(" ")}\n            echo ${quote(toKindWord(value!))}`)
  .join("\n")}
        case '*'
            return 1
    end
end

function __samovar_value
    switch "$argv[1]"
        case none ''
        case file
            __fish_complete_path (commandline -ct)
        case folder
            __fish_complete_directories (commandline -ct)
        case target
            samovar __complete target 2> /dev/null
            __fish_complete_path (commandline -ct)
        case 'one of *'
            string split ' ' -- (string replace 'one of ' '' -- $argv[1])
        case '*'
            samovar __complete $argv[1] 2> /dev/null
    end
end

function __samovar_complete
    set -l at ''
    set -l position 0
    set -l ended ''
    set -l expects ''
    for word in (commandline -opc)[2..]
        set -l below (string trim -- "$at $word")
        if test -n "$expects"
            set expects ''
        else if test -z "$ended"; and test "$word" = --
            set ended 1
        else if test -z "$ended"; and string match -q -- '-*' $word
            set expects (__samovar_option "$at" $word)
        else if test -z "$ended"; and __samovar_is_command "$below"
            set at $below
            set position 0
        else
            set position (math $position + 1)
        end
    end
    set -l commands (__samovar_commands "$at")
    if test -n "$expects"
        __samovar_value "$expects"
    else if test -z "$ended"; and string match -q -- '-*' (commandline -ct)
        __samovar_options "$at"
    else if test -n "$commands"
        if test $position -eq 0
            printf '%s\\n' $commands
        end
    else
        set -l kinds (__samovar_kinds "$at")
        if test "$kinds[-1]" = more
            set -e kinds[-1]
            if test $position -ge (count $kinds)
                set position (math (count $kinds) - 1)
            end
        end
        if test $position -lt (count $kinds)
            __samovar_value $kinds[(math $position + 1)]
        end
    end
end

complete -c samovar -f -a '(__samovar_complete)'
`;
}

function toCases(tree: readonly CommandNode[], toLines: (node: CommandNode) => readonly string[]): string {
  return tree
    .map((node) => ({ path: node.path, lines: toLines(node) }))
    .filter(({ lines }) => lines.length > 0)
    .map(({ path, lines }) => `        case ${quote(path)}\n            printf '%s\\n' ${lines.map(quote).join(" ")}`)
    .join("\n");
}

const quote = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
