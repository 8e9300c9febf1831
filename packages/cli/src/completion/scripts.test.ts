import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { needDebianPackage } from "@samovar/testkit";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createProgram } from "../program.ts";
import { toBashScript } from "./bash.ts";
import { toCommandTree } from "./command-tree.ts";
import { toFishScript } from "./fish.ts";
import { namedPlaces } from "./value-kinds.ts";
import { toZshScript } from "./zsh.ts";

// A shell starts a process for every name it asks for, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const withoutZsh = await needDebianPackage("zsh");
const withoutFish = await needDebianPackage("fish");
const because = (reason: string | null): string => (reason === null ? "" : ` (${reason})`);

const tree = toCommandTree(createProgram("0.0.0", () => {}));
const run = promisify(execFile);
let folder: string;

/** A folder with the scripts, with two files to complete, and with a `samovar` that knows two names of each kind. */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "samovar-completion-"));
  mkdirSync(join(folder, "bin"));
  mkdirSync(join(folder, "home"));
  writeFileSync(join(folder, "bin", "samovar"), `#!/bin/sh\n[ "$1" = __complete ] && printf '%s-one\\n%s-two\\n$(touch pwned)\\n' "$2" "$2"\n`);
  chmodSync(join(folder, "bin", "samovar"), 0o755);
  writeFileSync(join(folder, "app.ts"), "");
  writeFileSync(join(folder, "c.bash"), toBashScript(tree));
  writeFileSync(join(folder, "c.zsh"), toZshScript(tree));
  writeFileSync(join(folder, "c.fish"), toFishScript(tree));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function shell(command: string, args: readonly string[]): Promise<string> {
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, HOME: join(folder, "home"), LANG: "C.UTF-8" };
  const { stdout, stderr } = await run(command, args, { cwd: folder, env, timeout: 100_000 });
  expect(stderr).toBe("");
  return stdout;
}

/** What is offered after each of these; the last word, which may be empty, is the one that is completed. */
const CASES: readonly [line: string, offered: readonly string[]][] = [
  ["deplo", ["deploy", "deployment"]],
  ["deployment s", ["scale", "start", "stop"]],
  ["token re", ["revoke"]],
  ["token del", ["delete"]],
  ["help dow", ["down"]],
  ["help container ex", ["exec"]],
  ["deployment inspect ", ["deployment-one", "deployment-two"]],
  ["deployment inspect --json deployment-t", ["deployment-two"]],
  ["deployment scale x ", []],
  ["container stop ", ["container-one", "container-two"]],
  ["logs -f -n 5 function-o", ["function-one"]],
  ["token revoke ", ["token-one", "token-two"]],
  ["deploy app.ts --app ", ["app-one", "app-two"]],
  ["deploy app.ts --take", ["--take-over"]],
  ["up --driver ", ["auto", "oci", "process"]],
  ["up --driver oci --d", ["--data", "--detach", "--driver"]],
  ["completion ", ["bash", "fish", "zsh"]],
  ["down ", []],
  ["logs -- function-o", ["function-one"]],
];

test("bash completes commands, options, values and a server's names, and evaluates none of those", async () => {
  const script = `
source ./c.bash
compopt() { COMPREPLY+=("compopt $*"); }
ask() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _samovar; printf '%s\\n' "\${COMPREPLY[@]}" | sort | tr '\\n' ,; echo; }
${CASES.map(([line]) => `ask samovar ${toWords(line)}`).join("\n")}
ask samovar run ap
ask samovar init ''
ask samovar shell target-o
ask samovar shell ap
ask samovar up --driver = o
ask samovar up --driver =`;
  const lines = (await shell("bash", ["--norc", "--noprofile", "-c", script])).trimEnd().split("\n");
  const offered = lines.map((line) => line.split(",").filter((word) => word !== "" && word !== "$(touch pwned)"));
  expect(offered).toEqual([
    ...CASES.map(([, words]) => [...words].toSorted()),
    ["compopt -o default"],
    ["compopt -o dirnames"],
    ["compopt -o default", "target-one"],
    ["compopt -o default"],
    ["oci"],
    ["auto", "oci", "process"],
  ]);
});

// Reason: the package that it names.
test.skipIf(withoutFish !== null)(`fish completes the same${because(withoutFish)}`, async () => {
  const script = [
    "source c.fish",
    ...[...CASES.map(([line]) => line), "run ap", "init ", "shell target-o", "shell ap"].map((line) => `complete -C 'samovar ${line}'; echo =`),
  ].join("\n");
  const blocks = (await shell("fish", ["--no-config", "-c", script])).split("=\n").slice(0, -1);
  const offered = blocks.map((block) =>
    block
      .split("\n")
      .map((line) => line.split("\t")[0]!)
      .filter((word) => word !== "" && word !== "$(touch pwned)")
      .toSorted(),
  );
  expect(offered).toEqual([...CASES.map(([, words]) => [...words].toSorted()), ["app.ts"], ["bin/", "home/"], ["target-one"], ["app.ts"]]);
});

// Reason: the package that it names.
test.skipIf(withoutZsh !== null)(`zsh completes the same at a terminal${because(withoutZsh)}`, async () => {
  // One candidate each: that is put into the line, where it can be read.
  const single = [
    ...CASES.filter(([, words]) => words.length === 1),
    ["run ap", ["app.ts"]] as const,
    ["init ho", ["home/"]] as const,
    ["shell target-o", ["target-one"]] as const,
    ["shell ap", ["app.ts"]] as const,
  ];
  const script = `
zmodload zsh/zpty
zpty z TERM=dumb zsh -f -i
zpty -w z "PROMPT=; autoload -Uz compinit; compinit -D -u; source ./c.zsh; show() { print -r -- \\"<\\$BUFFER>\\"; zle kill-whole-line }; zle -N show; bindkey '^I' complete-word '^X' show; setopt no_beep; print set''up"
zpty -r -m z out '*setup*'
for line in ${single.map(([line]) => `'${line}'`).join(" ")}; do
  zpty -w -n z "samovar $line"$'\\t\\x18'
  zpty -r -m z out '*<*>*'
  print -r -- "\${\${out##*<}%%>*}"
done
zpty -d z`;
  const lines = (await shell("zsh", ["-f", "-c", script])).trimEnd().split("\n");
  expect(lines.map((line) => line.trimEnd())).toEqual(single.map(([line, [word]]) => `samovar ${line.slice(0, line.lastIndexOf(" ") + 1)}${word}`));
});

test("every place that is said to take a kind of value is there", () => {
  const places = new Set<string>();
  const visit = (command: ReturnType<typeof createProgram>, path: string): void => {
    for (const argument of command.registeredArguments) places.add(`${path} ${argument.name()}`);
    for (const option of command.options) if (option.long !== undefined) places.add(option.long);
    for (const child of command.commands) visit(child, path === "" ? child.name() : `${path} ${child.name()}`);
  };
  visit(
    createProgram("0.0.0", () => {}),
    "",
  );
  expect(namedPlaces.filter((place) => !places.has(place))).toEqual([]);
});

function toWords(line: string): string {
  return line
    .split(" ")
    .map((word) => `'${word}'`)
    .join(" ");
}
