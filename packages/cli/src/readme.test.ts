import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { createProgram } from "./program.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const commands = leaves(
  createProgram("0.0.0", () => {}),
  "samovar",
);

function leaves(command: Command, name: string): { name: string; command: Command }[] {
  return command.commands.length === 0 ? [{ name, command }] : command.commands.flatMap((child) => leaves(child, `${name} ${child.name()}`));
}

test.each(commands)("$name stands in the README with all its arguments and options", ({ name, command }) => {
  expect(README).toContain(`\`${name}`);
  for (const argument of command.registeredArguments) {
    const shown = `${argument.name()}${argument.variadic ? "..." : ""}`;
    expect(README).toMatch(new RegExp(`[<[]${shown.replaceAll(".", "\\.")}[>\\]]`));
  }
  for (const option of command.options) expect(README).toContain(option.flags);
});

test("every command and option that the README names is there", () => {
  const names = commands.map(({ name }) => name);
  const named = [...README.matchAll(/`(samovar(?: [a-z]+)+)/g)].map((match) => match[1]!);
  expect(named.filter((name) => !names.some((each) => each === name || each.startsWith(`${name} `)))).toEqual([]);
  const flags = new Set(commands.flatMap(({ command }) => command.options.map((option) => option.flags)));
  const tokens = [...README.matchAll(/`((?:-\w, )?--[a-z]+(?: <[^`>]+>)?)`/g)].map((match) => match[1]!);
  expect(tokens.length).toBeGreaterThan(15);
  expect(tokens.filter((token) => ![...flags].some((each) => each === token || each.split(/[ ,]+/).includes(token)))).toEqual([]);
});

test.each(commands)("$name has help with an example", ({ command }) => {
  let text = "";
  command.configureOutput({ writeOut: (chunk) => (text += chunk) }).outputHelp();
  expect(text).toMatch(/Examples?:\n {2}(echo .*)?samovar /);
});

test.each(commands.filter(({ name }) => /^samovar (task|callback) /.test(name)))(
  "$name shows no id that is cut short in its examples: those of tasks and callbacks are whole",
  ({ command }) => {
    let text = "";
    command.configureOutput({ writeOut: (chunk) => (text += chunk) }).outputHelp();
    expect(text).not.toMatch(/\b(tk|cb)_\w/);
  },
);
