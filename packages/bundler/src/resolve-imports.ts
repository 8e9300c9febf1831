import { existsSync } from "node:fs";
import path from "node:path";
import type { OnResolveResult, PluginBuild } from "esbuild";
import { packageName } from "./bundle-failure.ts";
import { owningPackage, type ExternalPackages } from "./external-packages.ts";
import { ancestors } from "./project.ts";

export interface ResolveImportsOptions {
  /** Folder of the bundle, absolute. */
  readonly outDir: string;
  readonly sdkEntry: string;
  readonly externals: ExternalPackages;
  readonly onNewExternal: () => void;
}

/**
 * What esbuild's own resolution doesn't know: `samovar` is there also where no project has it, and packages that
 * don't work inside a bundle stay outside.
 */
export function setUpImports(build: PluginBuild, options: ResolveImportsOptions): void {
  const { externals, outDir } = options;
  const sdkDir = packageDir(options.sdkEntry);

  build.onResolve({ filter: /^[^./#]/ }, async (args): Promise<OnResolveResult | undefined> => {
    if (args.kind === "entry-point" || args.namespace !== "file" || args.pluginData === OURS) return undefined;
    const name = packageName(args.path);
    if (name === undefined || name.startsWith("node:")) return undefined;
    if (name === "samovar") {
      if (hasPackage(name, args.resolveDir)) return undefined;
      // The SDK's own exports decide, as seen from inside of it.
      if (args.path === "samovar") return { path: options.sdkEntry };
      return await build.resolve(args.path, { kind: args.kind, resolveDir: sdkDir, pluginData: OURS });
    }
    return externals.decide(name, args.resolveDir) ? { path: args.path, external: true } : undefined;
  });

  build.onResolve({ filter: /\.node$/ }, (args): OnResolveResult | undefined => {
    if (args.kind === "entry-point" || !/^\.{0,2}[\\/]/.test(args.path)) return undefined;
    const file = path.resolve(args.resolveDir, args.path);
    const owner = owningPackage(file);
    if (owner !== undefined && externals.needsOwnFiles(owner)) options.onNewExternal();
    // The author's own addon travels with the code: it is found by its place beside the bundle.
    const relative = path.relative(outDir, file).split(path.sep).join("/");
    return { path: relative.startsWith(".") ? relative : `./${relative}`, external: true };
  });
}

const OURS = Symbol("resolved by us");

/** Whether an import of this package finds one from here. */
export function hasPackage(name: string, fromDir: string): boolean {
  for (const dir of ancestors(fromDir)) if (existsSync(path.join(dir, "node_modules", name, "package.json"))) return true;
  return false;
}

/** The folder of the package that a file belongs to. */
export function packageDir(file: string): string {
  for (const dir of ancestors(path.dirname(file))) if (existsSync(path.join(dir, "package.json"))) return dir;
  return path.dirname(file);
}
