import { readdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import type { Bind } from "./oci-config.ts";

const MODULES = "node_modules";

/**
 * Folders of this machine that a code's links lead to, at their own paths: module folders, and what these link to outside
 * of themselves: packages of a workspace, and the store of a package manager.
 */
export async function toModuleBinds(modules: readonly string[]): Promise<Bind[]> {
  const sources = new Set<string>();
  for (const folder of modules) {
    const real = await realpath(folder).catch(() => null);
    if (real === null) continue;
    sources.add(folder);
    if (real !== folder) sources.add(real);
    for (const target of await linkTargets(folder)) sources.add(target);
  }
  // Parents first, and nothing twice: a folder in one that is there already is there with it.
  const sorted = [...sources].sort();
  return sorted.filter((path) => !sorted.some((other) => path.startsWith(other + sep))).map((path) => ({ source: path, destination: path }));
}

async function linkTargets(folder: string): Promise<string[]> {
  const found: string[] = [];
  const look = async (dir: string): Promise<void> => {
    for (const entry of await readdir(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory() && entry.name.startsWith("@")) await look(path);
      if (!entry.isSymbolicLink()) continue;
      const target = await realpath(path).catch(() => null);
      if (target !== null) found.push(toShared(target));
    }
  };
  await look(folder);
  return found.filter((target) => !target.startsWith(folder + sep));
}

/** In a store packages find each other beside themselves: all of the store is needed. */
function toShared(target: string): string {
  const parts = target.split(sep);
  const at = parts.indexOf(MODULES);
  return at < 0 ? target : parts.slice(0, at + 1).join(sep);
}
