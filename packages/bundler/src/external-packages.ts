import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import type { ExternalPackage } from "./bundle.ts";
import { ancestors } from "./project.ts";

const PLATFORM_PACKAGE = /(linux|darwin|win32|freebsd|android)[-_.](x64|x86_64|arm64|arm|ia32|universal|riscv64|ppc64|s390x)/;
const NATIVE_LOADERS = new Set([
  "bindings",
  "node-gyp-build",
  "node-gyp-build-optional-packages",
  "prebuild-install",
  "@mapbox/node-pre-gyp",
  "node-pre-gyp",
  "pkg-prebuilds",
  "cmake-js",
  "neon-load-or-build",
]);
/** Where compiled parts lie in packages that ship or build them. */
const NATIVE_FOLDERS = [".", "build/Release", "build/Debug", "lib/binding", "lib", "dist", "bin"];

/**
 * Which packages stay outside. Some are known by their folder as soon as they are imported; others show only when
 * one of their files is read, too late for the build that reads it: those are remembered, and the build is run again.
 */
export class ExternalPackages {
  readonly #found = new Map<string, ExternalPackage>();
  readonly #ownFiles = new Set<string>();
  readonly #native = new Map<string, boolean>();

  /** Decides on an import, seen from the folder of the importing module. */
  decide(name: string, fromDir: string): ExternalPackage | undefined {
    const dir = findPackage(name, fromDir);
    if (!dir) return undefined;
    const reason = this.#isNative(dir) ? "native" : this.#ownFiles.has(name) ? "own-files" : undefined;
    if (!reason) return undefined;
    const nodeModules = name.startsWith("@") ? path.dirname(path.dirname(dir)) : path.dirname(dir);
    const found: ExternalPackage = { name, reason, nodeModules };
    this.#found.set(`${nodeModules}\0${name}`, found);
    return found;
  }

  /** A file of this package looks for its neighbours. True when that is news. */
  needsOwnFiles(name: string): boolean {
    if (this.#ownFiles.has(name)) return false;
    this.#ownFiles.add(name);
    return true;
  }

  /** Forgets what was imported, not what was learned about packages' own files. */
  beginBuild(): void {
    this.#found.clear();
    this.#native.clear();
  }

  /** What the last build left outside, by name. */
  list(): readonly ExternalPackage[] {
    return [...this.#found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  #isNative(dir: string): boolean {
    let known = this.#native.get(dir);
    if (known === undefined) {
      known = looksNative(dir);
      this.#native.set(dir, known);
    }
    return known;
  }
}

/** The name of the package that a file belongs to; undefined outside of `node_modules`. */
export function owningPackage(file: string): string | undefined {
  const parts = file.split(/[\\/]/);
  const at = parts.lastIndexOf("node_modules");
  const first = parts[at + 1];
  if (at < 0 || first === undefined) return undefined;
  return first.startsWith("@") ? `${first}/${parts[at + 2] ?? ""}` : first;
}

function findPackage(name: string, fromDir: string): string | undefined {
  for (const dir of ancestors(fromDir)) {
    const candidate = path.join(dir, "node_modules", name);
    if (existsSync(path.join(candidate, "package.json"))) return candidate;
  }
  return undefined;
}

function looksNative(dir: string): boolean {
  if (existsSync(path.join(dir, "binding.gyp")) || existsSync(path.join(dir, "prebuilds"))) return true;
  const manifest = readManifest(dir);
  if (manifest["gypfile"] === true || manifest["napi"] !== undefined || manifest["binary"] !== undefined) return true;
  if (keys(manifest["dependencies"]).some((name) => NATIVE_LOADERS.has(name))) return true;
  if (keys(manifest["optionalDependencies"]).some((name) => PLATFORM_PACKAGE.test(name))) return true;
  return NATIVE_FOLDERS.some((folder) => hasNativeFile(path.join(dir, folder)));
}

function readManifest(dir: string): Record<string, unknown> {
  try {
    return JSON.parse(readFileSync(path.join(dir, "package.json"), "utf8")) as Record<string, unknown>;
  } catch {
    // esbuild reads it too and reports it with the line.
    return {};
  }
}

function hasNativeFile(dir: string): boolean {
  try {
    return readdirSync(dir).some((file) => file.endsWith(".node"));
  } catch {
    return false;
  }
}

function keys(value: unknown): string[] {
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}
