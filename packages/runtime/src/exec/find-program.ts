import { access, constants, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { SamovarError } from "@samovar/protocol";

/**
 * The file that a program's name means, as a shell finds it: a name with a slash is a path from `cwd`, others are
 * looked for in `path`. Rejects with `not_found`, which names it.
 */
export async function findProgram(name: string, cwd: string, path: string): Promise<string> {
  if (name === "" || name.includes("\0")) throw new SamovarError("invalid_request", `${JSON.stringify(name)} can't be the name of a program`);
  const candidates = name.includes("/") ? [resolve(cwd, name)] : path.split(":").map((folder) => join(resolve(cwd, folder), name));
  let found: string | null = null;
  for (const candidate of candidates) {
    if (!(await isFile(candidate))) continue;
    found ??= candidate;
    if (await isExecutable(candidate)) return candidate;
  }
  throw new SamovarError(
    "not_found",
    found === null
      ? `The container has no program ${JSON.stringify(name)}${name.includes("/") ? "" : `: it is in no folder of its PATH, ${path}`}`
      : `${found} is there in the container, but may not be run: make it executable`,
  );
}

/** Rejects with `not_found` unless the folder is there. */
export async function assertFolder(path: string): Promise<void> {
  const isFolder = await stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isFolder) throw new SamovarError("not_found", `The container has no folder ${JSON.stringify(path)} to run a program in`);
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
