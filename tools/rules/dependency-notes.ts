import { listPackages, type Problem, type Rule } from "../repository.ts";

const FILE = "docs/decisions/0011-dependencies.md";

/** A dependency earns its place in a line: `- \`name\`: why`. */
export const dependencyNotes: Rule = {
  name: "dependency-notes",
  check(repository) {
    const packages = listPackages(repository);
    const ours = new Set(packages.map((each) => each.name));
    const noted = new Set([...(repository.files.get(FILE) ?? "").matchAll(/^- ((?:`[^`]+`(?:, )?)+): \S/gm)].flatMap((match) => match[1]!.match(/[^`, ]+/g)!));
    const used = new Map<string, string>();
    for (const each of packages) for (const name of [...each.dependencies, ...each.devDependencies]) if (!ours.has(name)) used.set(name, each.folder);
    const problems: Problem[] = [];
    for (const [name, folder] of used) {
      if (!noted.has(name))
        problems.push({
          file: `${folder === "." ? "" : `${folder}/`}package.json`,
          message: `${name} has no line in ${FILE}: say there what it is for and why not without it`,
        });
    }
    for (const name of noted) if (!used.has(name)) problems.push({ file: FILE, message: `Nobody depends on ${name}: remove its line` });
    return problems;
  },
};
