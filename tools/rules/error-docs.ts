import { ERROR_CATALOGUE } from "@samovar/protocol";
import type { Problem, Repository, Rule } from "../repository.ts";

interface Entry {
  readonly status: number;
  readonly fault: string;
  readonly retry: boolean;
  readonly title: string;
  readonly fix: string;
}

const FILE = "docs/errors.md";

/** docs/errors.md and the catalogue say the same, both ways: every code has its section, every section its code. */
export function errorDocs(catalogue: Readonly<Record<string, Entry>> = ERROR_CATALOGUE): Rule {
  return {
    name: "error-docs",
    check: (repository) => check(repository, catalogue),
  };
}

/** The two lines that open an error's section, made from the catalogue. */
export function describeEntry(code: string, entry: Entry): string {
  const fix = entry.fix.endsWith(".") ? entry.fix : `${entry.fix}.`;
  return `### ${code}\n\n**${entry.title}** · status ${entry.status} · fault: ${entry.fault} · retry: ${entry.retry ? "yes" : "no"}\n\n${fix}`;
}

function check(repository: Repository, catalogue: Readonly<Record<string, Entry>>): Problem[] {
  const text = repository.files.get(FILE);
  if (text === undefined)
    return [{ file: FILE, message: "It is not there: write a section for each code of the catalogue in packages/protocol/src/errors.ts" }];
  const sections = new Map(
    text
      .split(/^(?=### )/m)
      .filter((section) => section.startsWith("### "))
      .map((section) => [/^### (.*)/.exec(section)![1]!.trim(), section.split(/^## /m, 1)[0]!.trim()]),
  );
  const problems: Problem[] = [];
  for (const [code, entry] of Object.entries(catalogue)) {
    const opening = describeEntry(code, entry);
    const section = sections.get(code);
    if (section === undefined) problems.push({ file: FILE, message: `${code} has no section: add one that begins\n${opening}` });
    else if (!`${section}\n`.startsWith(`${opening}\n`))
      problems.push({ file: FILE, message: `${code} differs from the catalogue: its section begins\n${opening}` });
    else if (section.slice(opening.length).trim().length < 40) problems.push({ file: FILE, message: `${code} lacks a paragraph that says when it happens` });
  }
  for (const code of sections.keys()) {
    if (!(code in catalogue))
      problems.push({ file: FILE, message: `${code} is not in the catalogue: remove its section, or add the code to packages/protocol/src/errors.ts` });
  }
  return problems;
}
