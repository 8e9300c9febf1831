import { constants, open, readdir, readlink, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { SamovarError } from "@samovar/protocol";

/** A file or link in a folder that a container writes to, perhaps at this moment. */
export type UntrustedEntry =
  | { readonly kind: "file"; readonly path: string; readonly handle: FileHandle; readonly size: number; readonly mode: number }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/** Folders within folders; each one on the way holds a descriptor. */
const MAX_DEPTH = 64;
const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Walks a folder whose owner may put links in the place of what has just been looked at: each step is taken from the
 * open folder above it, and none through a link, so that nothing outside of `root` is ever read. Handles are closed
 * after their turn. On systems without /proc, where containers aren't held in folders either, paths are taken as they are.
 */
export async function* walkUntrusted(root: string): AsyncGenerator<UntrustedEntry> {
  const folder = await open(root, O_RDONLY | O_DIRECTORY);
  try {
    yield* walk(folder, root, "", 0);
  } finally {
    await folder.close();
  }
}

async function* walk(folder: FileHandle, realPath: string, path: string, depth: number): AsyncGenerator<UntrustedEntry> {
  if (depth > MAX_DEPTH) throw new SamovarError("build_failed", `onBuild left folders more than ${MAX_DEPTH} deep: ${path.slice(0, 100)}…`);
  const base = process.platform === "linux" ? `/proc/self/fd/${folder.fd}` : realPath;
  for (const entry of await readdir(base, { withFileTypes: true })) {
    const at = join(base, entry.name);
    const below = path === "" ? entry.name : `${path}/${entry.name}`;
    if (entry.isSymbolicLink()) yield { kind: "link", path: below, target: await readlink(at).catch((error: unknown) => refuse(below, error)) };
    if (!entry.isFile() && !entry.isDirectory()) continue;
    // Not to wait where a pipe has taken the file's place.
    const flags = O_RDONLY | O_NOFOLLOW | (entry.isDirectory() ? O_DIRECTORY : O_NONBLOCK);
    const handle = await open(at, flags).catch((error: unknown) => refuse(below, error));
    try {
      const { size, mode } = await handle.stat().then((stats) => (entry.isFile() && !stats.isFile() ? refuse(below) : stats));
      if (entry.isFile()) yield { kind: "file", path: below, handle, size, mode };
      else yield* walk(handle, join(realPath, entry.name), below, depth + 1);
    } finally {
      await handle.close();
    }
  }
}

/**
 * Whether a link with this target, at this path, stays in its folder whatever other links of the same kind are on its
 * way: it goes up at its beginning alone, and no further than the folder.
 */
export function staysInside(path: string, target: string): boolean {
  if (target.startsWith("/")) return false;
  const parts = target.split("/").filter((part) => part !== "" && part !== ".");
  const up = parts.findIndex((part) => part !== "..");
  const ups = up < 0 ? parts.length : up;
  return ups <= path.split("/").length - 1 && !parts.slice(ups).includes("..");
}

function refuse(path: string, cause?: unknown): never {
  throw new SamovarError("build_failed", `What onBuild left changed while it was collected: ${path}. Let the hook wait for all that it has started`, { cause });
}
