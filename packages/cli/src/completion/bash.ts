import { toKindWord, type CommandNode } from "./command-tree.ts";

/**
 * For bash 4 and later, with or without the package bash-completion. Names that a server gives are compared by the
 * script itself: `compgen -W` would evaluate what stands in them.
 */
export function toBashScript(tree: readonly CommandNode[]): string {
  return `# bash completion of samovar. To load it: source <(samovar completion bash)

# Sets what can follow a command: commands, options, kinds of values.
_samovar_command() {
  commands="" options="" values=() variadic=""
  case "$1" in
${tree.map(toCase).join("\n")}
    *) return 1 ;;
  esac
}

# The kind of what follows an option of a command; fails for options that take nothing.
_samovar_option() {
  case "$1 $2" in
${toOptionCases(tree)}
    *) return 1 ;;
  esac
}

_samovar_words() {
  local word
  while IFS= read -r word; do
    if [[ -n $word && $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi
  done
}

_samovar_value() {
  case "$1" in
    none) ;;
    file) compopt -o default ;;
    folder) compopt -o dirnames ;;
    "one of "*) _samovar_words < <(tr ' ' '\\n' <<< "\${1#one of }") ;;
    target) compopt -o default; _samovar_words < <(samovar __complete target 2> /dev/null) ;;
    *) _samovar_words < <(samovar __complete "$1" 2> /dev/null) ;;
  esac
}

_samovar() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at="" position=0 ended="" expects="" word kind i
  local commands options variadic
  local -a values
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $expects ]]; then
      # --option=value comes as three words.
      if [[ $word != "=" ]]; then expects=""; fi
    elif [[ -z $ended && $word == "--" ]]; then ended=1
    elif [[ -z $ended && $word == -* ]]; then
      if kind=$(_samovar_option "$at" "$word"); then expects=$kind; fi
    elif [[ -z $ended ]] && _samovar_command "\${at:+$at }$word"; then at="\${at:+$at }$word" position=0
    else ((position += 1))
    fi
  done
  _samovar_command "$at"
  if [[ $cur == "=" ]]; then cur=""; fi
  if [[ -n $expects ]]; then _samovar_value "$expects"
  elif [[ -z $ended && $cur == -* ]]; then _samovar_words < <(tr ' ' '\\n' <<< "$options")
  elif [[ -n $commands ]]; then
    if ((position == 0)); then _samovar_words < <(tr ' ' '\\n' <<< "$commands"); fi
  else
    if [[ -n $variadic ]] && ((position >= \${#values[@]})); then position=$((\${#values[@]} - 1)); fi
    _samovar_value "\${values[position]:-none}"
  fi
}

complete -F _samovar samovar
`;
}

function toCase(node: CommandNode): string {
  const commands = node.commands.flatMap(({ names }) => names).join(" ");
  const options = node.options.flatMap(({ flags }) => flags).join(" ");
  const values = node.values.map((value) => `"${toKindWord(value)}"`).join(" ");
  return `    "${node.path}") commands="${commands}" options="${options}" values=(${values}) variadic=${node.variadic ? "1" : '""'} ;;`;
}

function toOptionCases(tree: readonly CommandNode[]): string {
  return tree
    .flatMap((node) => node.options.filter(({ value }) => value !== null).map((option) => ({ path: node.path, ...option })))
    .map(({ path, flags, value }) => `    ${flags.map((flag) => `"${path} ${flag}"`).join(" | ")}) echo "${toKindWord(value!)}" ;;`)
    .join("\n");
}
