import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/** The repository as the rules see it: plain data, so that a test writes one down in a few lines. */
export interface Repository {
  /** Path from the root, with `/`, to text. */
  readonly files: ReadonlyMap<string, string>;
}

/** What breaks a rule: where, what, and how to mend it. */
export interface Problem {
  readonly file: string;
  readonly line?: number;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  check(repository: Repository): Problem[];
}

export interface Package {
  readonly name: string;
  /** `packages/kit` */
  readonly folder: string;
  readonly dependencies: readonly string[];
  readonly devDependencies: readonly string[];
}

const SKIPPED_FOLDERS = new Set(["node_modules", "dist", "coverage", ".git", ".samovar"]);
const TEXT = /\.(ts|mts|cts|js|mjs|cjs|json|md|txt|sh|yaml|yml)$|^\.ci\/|\.npmrc$/;

export function readRepository(root: string): Repository {
  const files = new Map<string, string>();
  const visit = (folder: string): void => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const name = path.posix.join(folder, entry.name);
      if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) visit(name);
      else if (entry.isFile()) files.set(name, TEXT.test(name) ? readFileSync(path.join(root, name), "utf8") : "");
    }
  };
  visit("");
  return { files };
}

export function toRepository(files: Readonly<Record<string, string>>): Repository {
  return { files: new Map(Object.entries(files)) };
}

/** The root, the packages, the examples and the benchmarks: everything with a package.json. */
export function listPackages(repository: Repository): Package[] {
  return [...repository.files]
    .filter(([file]) => /^((packages|examples)\/[^/]+\/|bench\/)?package\.json$/.test(file))
    .map(([file, text]) => {
      const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined> & { name?: string };
      return {
        name: String(manifest.name),
        folder: path.posix.dirname(file),
        dependencies: ["dependencies", "optionalDependencies", "peerDependencies"].flatMap((kind) => Object.keys(manifest[kind] ?? {})),
        devDependencies: Object.keys(manifest["devDependencies"] ?? {}),
      };
    });
}

export const isCode = (file: string): boolean => /\.(ts|mts|cts|js|mjs|cjs)$/.test(file);
/** Code that is not shipped: it may reach further than what it tests. */
export const isTestCode = (file: string): boolean => /\.(test|test-d|fixture|check)\.ts$|\/(fixtures|fixture)\/|\/conformance[^/]*\.ts$/.test(file);

export function eachLine(text: string, visit: (line: string, number: number, all: readonly string[]) => void): void {
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) visit(line, index + 1, lines);
}
