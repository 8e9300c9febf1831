import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { transform, type Loader, type PluginBuild } from "esbuild";
import { owningPackage, type ExternalPackages } from "./external-packages.ts";
import { isInside } from "./project.ts";

/**
 * Where a bundled module says it is. In one file `import.meta.url` and `__dirname` would be the bundle's; modules
 * must see the folder that their own files are synced to. So `define` turns these words into members of
 * `__samovar_module`, and each module that uses them gets an import of a small module made for it. The import is
 * appended (imports are hoisted), so that no line of the source moves; only CommonJS has to get it in front.
 *
 * Packages that look for their own files are left outside instead: their files aren't synced.
 */
export const LOCATION_DEFINES: Record<string, string> = {
  "import.meta.url": "__samovar_module.url",
  "import.meta.dirname": "__samovar_module.dirname",
  "import.meta.filename": "__samovar_module.filename",
  "import.meta.resolve": "__samovar_module.resolve",
  __dirname: "__samovar_module.dirname",
  __filename: "__samovar_module.filename",
};

/** `globalThis[CODE_ROOT]`: URL of the project's folder where that isn't the bundle's own place (the app host). */
export const CODE_ROOT = "samovar.code-root";

/** Also what packages find their own files with: it would be resolved from the bundle's place. */
const PACKAGE_DEFINES = { ...LOCATION_DEFINES, "require.resolve": "__samovar_module.resolve" };

const MENTION = /import\.meta|__dirname|__filename|require\.resolve/;
const ESM_SYNTAX = /(?:^|[;}\n])\s*(?:import|export)\b|import\.meta/;
const NAMESPACE = "samovar-module";

/** Text before the bundle: what modules made here refer to, and the `require` of CommonJS inside of ESM. */
export function bundleBanner(entry: string): string {
  const up = "../".repeat(entry.split("/").length - 1) || "./";
  return [
    `import { createRequire as __samovarCreateRequire } from "node:module";`,
    `import { fileURLToPath as __samovarToPath } from "node:url";`,
    `const require = __samovarCreateRequire(import.meta.url);`,
    `const __samovarRoot = globalThis[Symbol.for("${CODE_ROOT}")] ?? new URL("${up}", import.meta.url).href;`,
    `const __samovarResolve = (specifier) => import.meta.resolve(specifier);`,
  ].join(" ");
}

interface Seen {
  readonly mtimeMs: number;
  readonly size: number;
  readonly mentions: boolean;
}

export interface ModuleLocationOptions {
  readonly root: string;
  readonly externals: ExternalPackages;
  /** A package turned out to need its own files: this build is void. */
  readonly onNewExternal: () => void;
  /** Every file that is read. */
  readonly onFile: (file: string) => void;
  readonly onNote: (note: string) => void;
}

export function setUpModuleLocation(build: PluginBuild, options: ModuleLocationOptions): void {
  const seen = new Map<string, Seen>();
  const { root, externals } = options;

  build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path: file }) => {
    options.onFile(file);
    const { mtimeMs, size } = await stat(file);
    const before = seen.get(file);
    if (before && before.mtimeMs === mtimeMs && before.size === size && !before.mentions) return undefined;
    const source = await readFile(file, "utf8");
    const loader = loaderOf(file);
    const owner = owningPackage(file);
    const isPackage = owner !== undefined && !isOurs(owner);
    const mentions = MENTION.test(source) && (await usesLocation(source, loader, isPackage ? PACKAGE_DEFINES : LOCATION_DEFINES));
    seen.set(file, { mtimeMs, size, mentions });
    if (!mentions) return undefined;

    if (isPackage && externals.needsOwnFiles(owner)) {
      options.onNewExternal();
      return undefined;
    }
    if (!isInside(root, file) && owner === undefined) {
      options.onNote(
        `${path.relative(root, file)} asks where it is, and lies outside of the project's folder: its files are read in place and don't travel with the code`,
      );
    }
    const id = JSON.stringify(`${NAMESPACE}:${file}`);
    const contents = ESM_SYNTAX.test(source)
      ? `${source}\nimport * as __samovar_module from ${id};`
      : prepend(`var __samovar_module = require(${id});`, source);
    return { contents, loader, resolveDir: path.dirname(file) };
  });

  build.onResolve({ filter: new RegExp(`^${NAMESPACE}:`) }, ({ path: id }) => ({ path: id.slice(NAMESPACE.length + 1), namespace: NAMESPACE }));
  build.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path: file }) => ({ contents: locationModule(root, file), loader: "js" }));
}

function locationModule(root: string, file: string): string {
  const inside = isInside(root, file);
  const url = inside ? `./${path.relative(root, file).split(path.sep).map(encodeURIComponent).join("/")}` : pathToFileURL(file).href;
  return [
    `export const url = /* @__PURE__ */ String(/* @__PURE__ */ new URL(${JSON.stringify(url)}, __samovarRoot));`,
    `export const filename = /* @__PURE__ */ __samovarToPath(url);`,
    `export const dirname = /* @__PURE__ */ __samovarToPath(/* @__PURE__ */ new URL(".", url)).replace(/(.)[\\\\/]$/, "$1");`,
    `export const resolve = (specifier) => /^\\.{0,2}\\//.test(specifier) ? new URL(specifier, url).href : __samovarResolve(specifier);`,
  ].join("\n");
}

/** Whether the code itself says it, not a comment or a string: esbuild's own parser tells. */
async function usesLocation(source: string, loader: Loader, define: Record<string, string>): Promise<boolean> {
  try {
    const { code } = await transform(source, { loader, define, tsconfigRaw: "{}", logLevel: "silent" });
    return code.includes("__samovar_module");
  } catch {
    // It doesn't parse: the build that follows says so, with the line.
    return false;
  }
}

function isOurs(name: string): boolean {
  return name === "samovar" || name.startsWith("@samovar/");
}

function prepend(text: string, source: string): string {
  return source.startsWith("#!") ? source.replace(/\n|$/, `\n${text}`) : text + source;
}

function loaderOf(file: string): Loader {
  const ext = path.extname(file).replace(/^\.[cm]/, ".");
  return ext === ".ts" ? "ts" : ext === ".tsx" ? "tsx" : ext === ".jsx" ? "jsx" : "js";
}
