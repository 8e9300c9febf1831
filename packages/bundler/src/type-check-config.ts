import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { ancestors, type Project } from "./project.ts";
import { hasPackage, packageDir } from "./resolve-imports.ts";
import { findTsconfig, type ProjectTsconfig } from "./tsconfig.ts";

/** What the bundler makes of files that are no code. */
export const ASSETS = `declare module "*.txt" { const text: string; export default text; }
declare module "*.wasm" { const bytes: Uint8Array<ArrayBuffer>; export default bytes; }
`;

const OWN_DEFAULTS = {
  strict: true,
  target: "esnext",
  lib: ["esnext"],
  module: "preserve",
  moduleResolution: "bundler",
  allowJs: true,
  checkJs: false,
  resolveJsonModule: true,
};

/** What must hold whatever the project says: nothing is written, and decorators are the standard ones. */
const FORCED = {
  noEmit: true,
  skipLibCheck: true,
  allowImportingTsExtensions: true,
  experimentalDecorators: false,
  useDefineForClassFields: true,
  composite: false,
  incremental: false,
  declaration: false,
  declarationMap: false,
  isolatedDeclarations: false,
  emitDeclarationOnly: false,
  emitDecoratorMetadata: null,
  tsBuildInfoFile: null,
  rootDir: null,
  outDir: null,
  declarationDir: null,
};

/** A tsconfig.json for one module: the project's own, or strict defaults, with what the bundler decides on top. */
export function toCheckConfig(project: Project, sdkEntry: string, assets: string): object {
  const own = findTsconfig(path.dirname(project.file), project.root);
  const sdkPaths = hasPackage("samovar", path.dirname(project.file)) ? {} : exportedPaths(sdkEntry);
  const paths = { ...sdkPaths, ...own?.paths };
  const roots = typeRoots(project, own);
  const ambient = own ? findTypes(own, roots) : { types: ["node"], files: [] };
  return {
    ...(own ? { extends: own.file } : {}),
    files: [project.file, assets, ...ambient.files],
    // Declarations that nothing imports, such as those of global names.
    include: own ? [`${path.dirname(own.file)}/**/*.d.ts`, `${path.dirname(own.file)}/**/*.d.mts`] : [],
    exclude: ["**/node_modules", "**/dist", "**/.*/"],
    compilerOptions: {
      ...(own ? {} : OWN_DEFAULTS),
      ...(/\.[cm]?jsx?$/.test(project.file) ? { allowJs: true } : {}),
      ...FORCED,
      ...conditions(own, sdkEntry),
      ...(Object.keys(paths).length > 0 ? { paths } : {}),
      types: ambient.types,
      typeRoots: roots,
    },
  };
}

/** In a checkout the packages' types are their sources. */
function conditions(own: ProjectTsconfig | undefined, sdkEntry: string): object {
  if (!sdkEntry.endsWith(".ts")) return {};
  const theirs = own?.options["customConditions"];
  return { customConditions: [...(Array.isArray(theirs) ? theirs : []), "samovar-source"] };
}

/** `paths` for a package by its `exports`. */
function exportedPaths(entry: string): Record<string, string[]> {
  const dir = packageDir(entry);
  const { exports = {} } = JSON.parse(readFileSync(path.join(dir, "package.json"), "utf8")) as { exports?: Record<string, Record<string, string>> };
  const condition = entry.endsWith(".ts") ? "samovar-source" : "types";
  const found = Object.entries(exports).flatMap(([key, targets]) => {
    const target = targets[condition];
    return target === undefined ? [] : [[path.posix.join("samovar", key), [path.join(dir, target)]] satisfies [string, string[]]];
  });
  return Object.fromEntries(found);
}

/** The project's own come first; ours have Node's types for the project that has none. */
function typeRoots(project: Project, own: ProjectTsconfig | undefined): string[] {
  const theirs = own?.options["typeRoots"];
  const folders =
    Array.isArray(theirs) && own
      ? theirs.map((folder) => path.resolve(path.dirname(own.file), String(folder)))
      : [...ancestors(project.root)].map((dir) => path.join(dir, "node_modules", "@types"));
  return [...folders, path.dirname(path.dirname(createRequire(import.meta.url).resolve("@types/node/package.json")))];
}

/**
 * The project's `types`. The compiler would look for them from our config's folder, so packages other than
 * `@types/…` are named by their path, and one that isn't installed is left out: it would end the whole check.
 */
function findTypes(own: ProjectTsconfig, roots: readonly string[]): { types: string[]; files: string[] } {
  const asked = own.options["types"];
  if (!Array.isArray(asked)) return { types: ["node"], files: [] };
  // Functions run on Node, whatever else the project is for.
  const types: string[] = ["node"];
  const files: string[] = [];
  const dir = path.dirname(own.file);
  for (const name of asked.map(String)) {
    if (name === "node") continue;
    if (name === "*" || roots.some((root) => existsSync(path.join(root, name)))) types.push(name);
    else {
      const places = name.startsWith(".") ? [path.resolve(dir, name)] : [...ancestors(dir)].map((at) => path.join(at, "node_modules", name));
      const found = places.flatMap((place) => [`${place}.d.ts`, place]).find((place) => existsSync(place));
      if (found?.endsWith(".ts")) files.push(found);
      else if (found !== undefined) types.push(found);
    }
  }
  return { types, files };
}
