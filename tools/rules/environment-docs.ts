import { eachLine, isCode, isTestCode, type Problem, type Rule } from "../repository.ts";

const FILE = "docs/environment.md";
const READ = [
  /\bprocess\.env\.([A-Z][A-Z0-9_]*)/g,
  /\benv(?:ironment)?\??\.([A-Z][A-Z0-9_]+)\b/g,
  /\benv(?:ironment)?\[["']([A-Z][A-Z0-9_]*)["']\]/g,
  /\b(SAMOVAR_[A-Z0-9_]+)\b/g,
];

/** Every variable that our code reads or sets has its row in docs/environment.md, and every row its code. */
export const environmentDocs: Rule = {
  name: "environment-docs",
  check({ files }) {
    const documented = new Set([...(files.get(FILE) ?? "").matchAll(/^\| `([A-Z][A-Z0-9_]*)`/gm)].map((match) => match[1]!));
    const found = new Map<string, { readonly file: string; readonly line: number }>();
    for (const [file, text] of files) {
      if (!isCode(file) && !file.startsWith(".ci/")) continue;
      if (!/^(packages|bench|examples|\.ci)\//.test(file) || isTestCode(file) || /^packages\/testkit\/|\/bench\//.test(file)) continue;
      eachLine(text, (line, number) => {
        for (const pattern of READ) for (const [, name] of line.matchAll(pattern)) if (!found.has(name!)) found.set(name!, { file, line: number });
      });
    }
    const problems: Problem[] = [];
    for (const [name, at] of found) if (!documented.has(name)) problems.push({ ...at, message: `${name} is not documented: give it a row in ${FILE}` });
    for (const name of documented) if (!found.has(name)) problems.push({ file: FILE, message: `No code reads ${name}: remove its row` });
    return problems;
  },
};
