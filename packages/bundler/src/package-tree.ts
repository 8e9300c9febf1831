import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { ancestors } from "./project.ts";

/** A package and where it stands below the code's `node_modules`, so that each finds its own dependencies. */
export interface PlacedPackage {
  /** Its real folder on this machine. */
  readonly dir: string;
  /** Path of its folder in the code, such as `node_modules/sharp` or `node_modules/a/node_modules/b`. */
  readonly path: string;
}

interface Wanted {
  readonly name: string;
  readonly dir: string;
  /** Whoever asks for it; null for the code itself. */
  readonly by: PlacedPackage | null;
}

/**
 * Lays out packages with all that they depend on: each at the top where no other version of it stands already, else
 * inside the one that asks for it, as npm does. Optional and peer dependencies come along where they are installed.
 */
export async function placePackages(roots: readonly { readonly name: string; readonly dir: string }[]): Promise<readonly PlacedPackage[]> {
  const placed = new Map<string, PlacedPackage>();
  const queue: Wanted[] = await Promise.all(roots.map(async ({ name, dir }) => ({ name, dir: await realpath(dir), by: null })));
  for (let wanted = queue.shift(); wanted; wanted = queue.shift()) {
    const seen = findPlaced(placed, wanted.name, wanted.by);
    if (seen?.dir === wanted.dir) continue;
    const one: PlacedPackage = {
      dir: wanted.dir,
      path: seen ? `${wanted.by?.path ?? ""}/node_modules/${wanted.name}`.replace(/^\//, "") : `node_modules/${wanted.name}`,
    };
    // Two versions that the code itself asks for under one name: the nearer one stands, as in the bundle's own folder.
    if (placed.has(one.path)) continue;
    placed.set(one.path, one);
    for (const name of await dependenciesOf(one.dir)) {
      const dir = await findInstalled(name, one.dir);
      if (dir) queue.push({ name, dir, by: one });
    }
  }
  return [...placed.values()];
}

/** What an import of `name` in `from` would find by now. */
function findPlaced(placed: ReadonlyMap<string, PlacedPackage>, name: string, from: PlacedPackage | null): PlacedPackage | undefined {
  for (let at = from?.path ?? ""; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const found = placed.get(`${at}/node_modules/${name}`);
    if (found) return found;
  }
  return placed.get(`node_modules/${name}`);
}

async function dependenciesOf(dir: string): Promise<string[]> {
  const manifest = JSON.parse(await readFile(path.join(dir, "package.json"), "utf8")) as Record<string, Record<string, string> | undefined>;
  return [...new Set(["dependencies", "optionalDependencies", "peerDependencies"].flatMap((field) => Object.keys(manifest[field] ?? {})))];
}

async function findInstalled(name: string, fromDir: string): Promise<string | undefined> {
  for (const dir of ancestors(fromDir)) {
    const found = await realpath(path.join(dir, "node_modules", name, "package.json")).catch(() => undefined);
    if (found) return path.dirname(found);
  }
  return undefined;
}
