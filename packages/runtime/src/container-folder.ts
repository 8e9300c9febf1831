import { access, constants, copyFile, lchown, mkdir, readdir, readlink, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { SamovarError } from "@samovar/protocol";
import type { CodeMount } from "./driver.ts";

/** What must be made of a code folder: read once per code, since such a folder is never written to. */
export interface CodePlan {
  /** Parents before children. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
  readonly links: readonly { readonly path: string; readonly target: string }[];
  /** Folders with packages to which links lead: a container with a root of its own needs them there, too. */
  readonly modules: readonly string[];
}

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** A container's private folder: `work` (the code, where its processes start), `home` and `tmp`. */
export interface ContainerFolder {
  readonly root: string;
  readonly work: string;
  readonly home: string;
  readonly tmp: string;
}

/** How many files are copied at a time: more only makes them wait for each other in the file system pool. */
const COPIES_AT_ONCE = 16;
const MODULES = "node_modules";

export function toContainerFolder(containersDir: string, containerId: string): ContainerFolder {
  const root = join(containersDir, containerId);
  return { root, work: join(root, "work"), home: join(root, "home"), tmp: join(root, "tmp") };
}

export async function makeFolder(folder: ContainerFolder): Promise<void> {
  await attempt(folder.root, async () => {
    await mkdir(folder.root, { mode: 0o700 });
    await Promise.all([mkdir(folder.work), mkdir(folder.home), mkdir(folder.tmp)]);
  });
}

/** Removes the folder. Retried, because a process that was just killed may still be writing its last file. */
export async function removeFolder(root: string): Promise<void> {
  await attempt(root, () => rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 10 }));
}

/** Lists a code folder. `node_modules` folders inside it, and those named by `code`, become links. */
export async function planCode(code: CodeMount): Promise<CodePlan> {
  const folders: string[] = [];
  const files: string[] = [];
  const links: { path: string; target: string }[] = [];
  const modules: string[] = [];
  const walk = async (relative: string): Promise<void> => {
    const entries = await readdir(join(code.sourceDir, relative), { withFileTypes: true });
    for (const entry of entries) {
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isSymbolicLink()) {
        if (path !== MODULES) links.push({ path, target: await readlink(join(code.sourceDir, path)) });
      } else if (!entry.isDirectory()) {
        if (entry.isFile()) files.push(path);
      } else if (entry.name === MODULES) {
        if (path === MODULES) continue;
        links.push({ path, target: join(code.sourceDir, path) });
        modules.push(join(code.sourceDir, path));
      } else {
        folders.push(path);
        await walk(path);
      }
    }
  };
  return attemptWithCode(code.sourceDir, code.sourceDir, async () => {
    await walk("");
    const own = await readdir(join(code.sourceDir, MODULES)).then(
      () => [join(code.sourceDir, MODULES)],
      () => [],
    );
    const sources = [...own, ...code.nodeModules];
    modules.push(...sources);
    if (sources.length === 1) links.push({ path: MODULES, target: sources[0]! });
    else if (sources.length > 1) await mergeModules(sources, folders, links);
    return { folders, files, links, modules };
  });
}

/**
 * Fills `work`. The files are private copies: reflinks where the file system has them. With an `owner` all is given away,
 * and no folder before everything below it: whoever owns a folder can put a link in the place of what is in it, and a
 * server that goes on writing there would follow it out of the container.
 */
export async function fillFolder(work: string, sourceDir: string, plan: CodePlan, owner: FileOwner | null = null): Promise<void> {
  const give = async (path: string): Promise<void> => {
    if (owner) await lchown(join(work, path), owner.uid, owner.gid);
  };
  await attemptWithCode(work, sourceDir, async () => {
    for (const path of plan.folders) await mkdir(join(work, path));
    const copy = async (path: string): Promise<void> => {
      await copyFile(join(sourceDir, path), join(work, path), constants.COPYFILE_FICLONE);
      await give(path);
    };
    for (let i = 0; i < plan.files.length; i += COPIES_AT_ONCE) await Promise.all(plan.files.slice(i, i + COPIES_AT_ONCE).map(copy));
    await Promise.all(plan.links.map(({ path, target }) => symlink(target, join(work, path)).then(() => give(path))));
    for (const path of plan.folders.toReversed()) await give(path);
    await give("");
  });
}

/** Several module folders appear as one: a folder of links, one per package, the first folder that has a name winning. */
async function mergeModules(sources: readonly string[], folders: string[], links: { path: string; target: string }[]): Promise<void> {
  const seen = new Set<string>();
  folders.push(MODULES);
  const link = (source: string, name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    links.push({ path: `${MODULES}/${name}`, target: join(source, name) });
  };
  for (const source of sources) {
    for (const name of await readdir(source)) {
      if (!name.startsWith("@")) {
        link(source, name);
        continue;
      }
      if (!seen.has(name)) folders.push(`${MODULES}/${name}`);
      seen.add(name);
      for (const scoped of await readdir(join(source, name))) link(source, `${name}/${scoped}`);
    }
  }
}

/** What reads code may find that its folder was removed from under the server: only placing the code again helps. */
async function attemptWithCode<T>(path: string, sourceDir: string, work: () => Promise<T>): Promise<T> {
  return attempt(path, async () => {
    try {
      return await work();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" || (await isThere(sourceDir))) throw error;
      throw new SamovarError("storage_failed", `The code of this version is gone from disk: deploy it again (${sourceDir} is not there)`, { cause: error });
    }
  });
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

async function attempt<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SamovarError) throw error;
    throw new SamovarError("storage_failed", `A container's folder can't be made or removed: ${path}: ${(error as Error).message}`, { cause: error });
  }
}
