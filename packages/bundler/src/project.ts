import { existsSync, readFileSync, realpathSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { SamovarError } from "@samovar/protocol";

/** Where a module belongs: what its files are relative to, and what the app is called when nobody says. */
export interface Project {
  /** The entry module, absolute, symlinks resolved. */
  readonly file: string;
  /** The folder whose files travel with the bundle, absolute, symlinks resolved. */
  readonly root: string;
  /**
   * False where the root is a home or temp folder, or holds one: nobody means to send all of that, so nothing but
   * the bundle travels.
   */
  readonly syncs: boolean;
  /** From the nearest package.json that has a name, without scope; else the file's name. Always a valid app name. */
  readonly defaultAppName: string;
}

/**
 * The project of a module. A package.json that lies in a home or temp folder by accident counts for nothing.
 *
 * Throws `bundle_failed` when there is no such file.
 */
export function findProject(file: string): Project {
  const real = realFile(file);
  const moduleDir = path.dirname(real);
  let root = moduleDir;
  let name: string | undefined;
  for (const dir of ancestors(moduleDir)) {
    if (isTooBroad(dir)) break;
    const manifest = path.join(dir, "package.json");
    if (!existsSync(manifest)) continue;
    root = dir;
    name = readName(manifest);
    break;
  }
  return { file: real, root, syncs: !isTooBroad(root), defaultAppName: toAppName(name ?? path.basename(real).replace(/\.[^.]+$/, "")) };
}

/** The folder itself, then its parents up to the file system's root. */
export function* ancestors(dir: string): Iterable<string> {
  for (let at = dir; ; at = path.dirname(at)) {
    yield at;
    if (at === path.dirname(at)) return;
  }
}

export function isInside(dir: string, file: string): boolean {
  const relative = path.relative(dir, file);
  return relative === "" || (!relative.startsWith("..") && !path.isAbsolute(relative)) || /^\.\.[^/\\]/.test(relative);
}

function isTooBroad(dir: string): boolean {
  return [homedir(), tmpdir(), "/tmp", "/var/tmp"].some((special) => isInside(dir, realOr(special)));
}

function realFile(file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    throw new SamovarError("bundle_failed", `There is no file ${path.resolve(file)}: check the path`, { cause: error });
  }
}

function realOr(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

function readName(manifest: string): string | undefined {
  try {
    const { name } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: unknown };
    return typeof name === "string" && name ? name.replace(/^@[^/]*\//, "") : undefined;
  } catch {
    // esbuild reads it too and says what is wrong with it, with the line.
    return undefined;
  }
}

function toAppName(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9_-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|-+$/g, "")
    .slice(0, 63);
  return name === "" || name.toLowerCase() === "id" ? "app" : name;
}
