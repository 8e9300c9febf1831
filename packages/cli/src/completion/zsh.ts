import { toKindWord, type CommandNode } from "./command-tree.ts";

/** Loaded by `source`, or as a file `_samovar` of a folder in fpath. */
export function toZshScript(tree: readonly CommandNode[]): string {
  return `#compdef samovar
# zsh completion of samovar. To load it: source <(samovar completion zsh)

# Sets what can follow a command: commands, options, kinds of values.
_samovar_command() {
  subcommands=() flags=() kinds=() variadic=""
  case "$1" in
${tree.map(toCase).join("\n")}
    (*) return 1 ;;
  esac
}

# The kind of what follows an option of a command; fails for options that take nothing.
_samovar_option() {
  case "$1 $2" in
${toOptionCases(tree)}
    (*) return 1 ;;
  esac
}

_samovar_value() {
  local -a names
  case "$1" in
    (none) ;;
    (file) _files ;;
    (folder) _files -/ ;;
    ("one of "*) names=(\${=1#one of }); compadd -a names ;;
    (target) names=(\${(f)"$(samovar __complete target 2> /dev/null)"}); compadd -a names || _files ;;
    (*) names=(\${(f)"$(samovar __complete "$1" 2> /dev/null)"}); compadd -a names ;;
  esac
}

_samovar() {
  local at="" ended="" expects="" word kind variadic
  local -a subcommands flags kinds
  integer i position=0
  for ((i = 2; i < CURRENT; i++)); do
    word=$words[i]
    if [[ -n $expects ]]; then expects=""
    elif [[ -z $ended && $word == "--" ]]; then ended=1
    elif [[ -z $ended && $word == -* ]]; then
      if kind=$(_samovar_option "$at" "$word"); then expects=$kind; fi
    elif [[ -z $ended ]] && _samovar_command "\${at:+$at }$word"; then at="\${at:+$at }$word" position=0
    else ((position += 1))
    fi
  done
  _samovar_command "$at"
  if [[ -n $expects ]]; then _samovar_value "$expects"
  elif [[ -z $ended && $words[CURRENT] == -* ]]; then _describe -o option flags
  elif (( $#subcommands )); then
    if (( position == 0 )); then _describe command subcommands; fi
  else
    if [[ -n $variadic ]] && (( position >= $#kinds )); then (( position = $#kinds - 1 )); fi
    _samovar_value "\${kinds[position + 1]:-none}"
  fi
}

if [[ "\${funcstack[1]}" == _samovar ]]; then _samovar "$@"; else compdef _samovar samovar; fi
`;
}

function toCase(node: CommandNode): string {
  const commands = node.commands.flatMap(({ names, description }) => names.map((name) => toItem(name, description))).join(" ");
  const flags = node.options.flatMap(({ flags, description }) => flags.map((flag) => toItem(flag, description))).join(" ");
  const kinds = node.values.map((value) => `"${toKindWord(value)}"`).join(" ");
  return `    ("${node.path}") subcommands=(${commands}) flags=(${flags}) kinds=(${kinds}) variadic=${node.variadic ? "1" : '""'} ;;`;
}

const toItem = (name: string, description: string): string => quote(`${name.replaceAll(":", String.raw`\:`)}:${description}`);
const quote = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

function toOptionCases(tree: readonly CommandNode[]): string {
  return tree
    .flatMap((node) => node.options.filter(({ value }) => value !== null).map((option) => ({ path: node.path, ...option })))
    .map(({ path, flags, value }) => `    (${flags.map((flag) => `"${path} ${flag}"`).join(" | ")}) echo "${toKindWord(value!)}" ;;`)
    .join("\n");
}
