import { readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { describePathProblem } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import type { ExternalPackage } from "./bundle.ts";
import type { CollectedFile } from "./collect-files.ts";
import { HashCache } from "./hash-cache.ts";
import { placePackages, type PlacedPackage } from "./package-tree.ts";
import { isInside } from "./project.ts";

const MIB = 1024 * 1024;
/** Packages with compiled parts are large: models' runtimes come to hundreds of MiB. */
const MAX_TOTAL_BYTES = 2_048 * MIB;
const MAX_FILE_BYTES = 1_024 * MIB;
const MAX_FILES = 50_000;

interface Found {
  readonly path: string;
  readonly source: string;
}

/**
 * The packages that stay outside of a bundle, with all that they depend on, as files below `node_modules`: code that is
 * deployed has its packages with it, and goes on with them when the project installs others.
 *
 * Rejects with `bundle_failed` when it is more than may be sent.
 */
export async function collectPackages(packages: readonly ExternalPackage[], cache: HashCache = new HashCache()): Promise<readonly CollectedFile[]> {
  const placed = await placePackages(packages.map(({ name, nodeModules }) => ({ name, dir: path.join(nodeModules, name) })));
  const found: Found[] = [];
  for (const one of placed) await walk(one, one.dir, found);
  if (found.length > MAX_FILES)
    throw tooMuch(`they have ${found.length.toLocaleString("en")} files, and ${MAX_FILES.toLocaleString("en")} may be sent`, packages);
  const sizes = await Promise.all(found.map(async ({ source }) => (await stat(source)).size));
  const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
  if (totalBytes > MAX_TOTAL_BYTES) throw tooMuch(`they come to ${Math.ceil(totalBytes / MIB)} MiB, and ${MAX_TOTAL_BYTES / MIB} may be sent`, packages);
  const tooLarge = found.find((_, i) => sizes[i]! > MAX_FILE_BYTES);
  if (tooLarge) throw tooMuch(`${tooLarge.path} has more than ${MAX_FILE_BYTES / MIB} MiB`, packages);
  const files: CollectedFile[] = [];
  for (const { path: name, source } of found) files.push({ path: name, source, ...(await cache.hash(source)) });
  return files;
}

/** A package's own files: packages inside it are placed by themselves. */
async function walk(one: PlacedPackage, dir: string, found: Found[]): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.name === "node_modules" || entry.name === ".git") continue;
    const name = `${one.path}/${path.relative(one.dir, file).split(path.sep).join("/")}`;
    if (describePathProblem(name) !== undefined) continue;
    if (entry.isDirectory()) await walk(one, file, found);
    else if (entry.isFile()) found.push({ path: name, source: file });
    else if (entry.isSymbolicLink()) {
      const target = await realpath(file).catch(() => undefined);
      if (target !== undefined && isInside(one.dir, target) && (await stat(target)).isFile()) found.push({ path: name, source: target });
    }
  }
}

function tooMuch(what: string, packages: readonly ExternalPackage[]): SamovarError {
  return new SamovarError(
    "bundle_failed",
    `The packages that can't be bundled are sent with the code (${packages.map(({ name }) => name).join(", ")}), but ${what}`,
  );
}
