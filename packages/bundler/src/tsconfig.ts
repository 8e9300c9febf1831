import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { ancestors } from "./project.ts";

/** What of a project's tsconfig.json changes how imports are found or JSX is compiled; the rest is ours. */
export interface ProjectTsconfig {
  readonly file: string;
  /** With absolute targets. */
  readonly paths: Readonly<Record<string, readonly string[]>>;
  readonly jsx: Readonly<Record<string, unknown>>;
  /** All options that were read, base configs included. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The file and those it extends. */
  readonly files: readonly string[];
}

const JSX_OPTIONS = ["jsx", "jsxFactory", "jsxFragmentFactory", "jsxImportSource"];
const MAX_EXTENDS = 20;

/** The tsconfig.json that rules a folder, if there is one at or below `root`. */
export function findTsconfig(dir: string, root: string): ProjectTsconfig | undefined {
  for (const at of ancestors(dir)) {
    const file = path.join(at, "tsconfig.json");
    if (existsSync(file)) return readTsconfig(file);
    if (at === root) return undefined;
  }
  return undefined;
}

function readTsconfig(file: string): ProjectTsconfig {
  const files: string[] = [];
  const options = readOptions(file, files);
  const paths = (options["paths"] ?? {}) as Record<string, string[]>;
  return { file, files, options, paths, jsx: Object.fromEntries(JSX_OPTIONS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]]))) };
}

/** Later configs in `extends`, then the file itself, win. What can't be read is left to the type check to report. */
function readOptions(file: string, files: string[]): Record<string, unknown> {
  if (files.includes(file) || files.length > MAX_EXTENDS) return {};
  files.push(file);
  let config: { extends?: string | string[]; compilerOptions?: Record<string, unknown> };
  try {
    config = JSON.parse(stripJsonc(readFileSync(file, "utf8"))) as typeof config;
  } catch {
    return {};
  }
  const bases = [config.extends ?? []].flat().map((base) => resolveBase(base, file));
  const inherited = Object.assign({}, ...bases.map((base) => (base === undefined ? {} : readOptions(base, files)))) as Record<string, unknown>;
  const own = { ...config.compilerOptions };
  const dir = path.dirname(file);
  if (typeof own["baseUrl"] === "string") own["baseUrl"] = path.resolve(dir, own["baseUrl"]);
  if (own["paths"] !== undefined) own["paths"] = absolutePaths(own["paths"], (own["baseUrl"] ?? inherited["baseUrl"] ?? dir) as string);
  return { ...inherited, ...own };
}

function absolutePaths(paths: unknown, base: string): Record<string, string[]> {
  const entries = Object.entries((paths ?? {}) as Record<string, unknown>);
  return Object.fromEntries(
    entries.map(([key, targets]) => [key, (Array.isArray(targets) ? targets : []).map((target) => path.resolve(base, String(target)))]),
  );
}

function resolveBase(base: string, from: string): string | undefined {
  if (/^\.{0,2}[\\/]/.test(base)) {
    const file = path.resolve(path.dirname(from), base);
    return [file, `${file}.json`].find((candidate) => existsSync(candidate) && candidate.endsWith(".json"));
  }
  const require = createRequire(from);
  for (const candidate of [base, `${base}.json`, `${base}/tsconfig.json`]) {
    try {
      return require.resolve(candidate);
    } catch {
      continue;
    }
  }
  return undefined;
}

/** JSON with comments and trailing commas, as tsconfig files are written, to JSON. */
export function stripJsonc(text: string): string {
  const withoutComments = text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[^]*?\*\//g, (_, literal: string | undefined) => literal ?? " ");
  return withoutComments.replace(/("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])/g, (_, literal: string | undefined) => literal ?? "").replace(/^\uFEFF/, "");
}
