import path from "node:path";
import { eachLine, isCode, isTestCode, listPackages, type Package, type Problem, type Repository, type Rule } from "../repository.ts";

/**
 * Who may depend on whom, by folder. Dependencies point down: protocol ← kit ← {storage, runtime, bundler} ← {scheduler, gateway} ← server. What users import and what
 * runs in containers stays lean.
 */
const ALLOWED: Readonly<Record<string, readonly string[] | "anything">> = {
  protocol: [],
  kit: ["protocol"],
  sdk: ["protocol", "kit"],
  runner: ["protocol", "kit"],
  storage: ["protocol", "kit"],
  runtime: ["protocol", "kit"],
  bundler: ["protocol", "kit"],
  scheduler: ["protocol", "kit", "storage", "runtime", "bundler"],
  gateway: ["protocol", "kit", "storage", "runtime", "bundler", "scheduler"],
  server: ["protocol", "kit", "storage", "runtime", "bundler", "scheduler", "gateway", "runner"],
  cli: ["protocol", "kit", "runtime", "bundler", "sdk", "server"],
  testkit: "anything",
};

const IMPORT = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)["']([^"']+)["']/g;

/** Test code may import whatever its package.json names, and `samovar`, as the apps of users that it writes down do; everything else only downwards. */
export const packageDirection: Rule = {
  name: "package-direction",
  check(repository) {
    const packages = listPackages(repository).filter((each) => each.folder.startsWith("packages/"));
    const ours = new Map(packages.map((each) => [each.name, each]));
    return packages.flatMap((each) => [...checkManifest(each, ours), ...checkImports(repository, each, ours)]);
  },
};

function checkManifest(from: Package, ours: ReadonlyMap<string, Package>): Problem[] {
  const file = `${from.folder}/package.json`;
  if (!(shortName(from) in ALLOWED))
    return [{ file, message: `${from.folder} has no place in the order of packages: give it a line in tools/rules/package-direction.ts` }];
  return from.dependencies.flatMap((name) => {
    const to = ours.get(name);
    return to && !mayReach(from, to) ? [{ file, message: `${shortName(from)} may not depend on ${shortName(to)}: ${explain(from)}` }] : [];
  });
}

function checkImports(repository: Repository, from: Package, ours: ReadonlyMap<string, Package>): Problem[] {
  const problems: Problem[] = [];
  for (const [file, text] of repository.files) {
    if (!file.startsWith(`${from.folder}/`) || !isCode(file)) continue;
    eachLine(text, (line, number) => {
      for (const [, specifier] of line.matchAll(IMPORT)) {
        const message = checkImport(file, specifier!, from, ours);
        if (message) problems.push({ file, line: number, message });
      }
    });
  }
  return problems;
}

function checkImport(file: string, specifier: string, from: Package, ours: ReadonlyMap<string, Package>): string | undefined {
  if (specifier.startsWith(".")) {
    const target = path.posix.join(path.posix.dirname(file), specifier);
    return target.startsWith(`${from.folder}/`) ? undefined : `${specifier} leaves the package: import the other one by its name`;
  }
  const name = specifier.startsWith("@") ? specifier.split("/", 2).join("/") : specifier.split("/", 1)[0]!;
  const to = ours.get(name);
  if (!to || to === from || (name === "samovar" && (isTestCode(file) || shortName(from) === "testkit"))) return undefined;
  const declared = from.dependencies.includes(name) || (isTestCode(file) && from.devDependencies.includes(name));
  if (!declared) return `${name} is not in ${from.folder}/package.json: add it to its ${isTestCode(file) ? "devDependencies" : "dependencies"}`;
  if (!isTestCode(file) && !mayReach(from, to)) return `${shortName(from)} may not import ${shortName(to)}: ${explain(from)}`;
  return undefined;
}

const shortName = (each: Package): string => path.posix.basename(each.folder);

function mayReach(from: Package, to: Package): boolean {
  const allowed = ALLOWED[shortName(from)];
  return allowed === "anything" || (allowed?.includes(shortName(to)) ?? false);
}

function explain(from: Package): string {
  const allowed = ALLOWED[shortName(from)];
  return `it may reach ${Array.isArray(allowed) && allowed.length > 0 ? allowed.join(", ") : "none of ours"} (tools/rules/package-direction.ts)`;
}
