import { access, constants, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { SamovarError } from "@samovar/protocol";
import { EXIT_CODES } from "./exit-codes.ts";

/**
 * The file that a program's name means, as a shell finds it: a name with a slash is a path from `cwd`, others are
 * looked for in `path`. Rejects with `not_found`, which names it and has the exit code of such an end.
 */
export async function findProgram(name: string, cwd: string, path: string): Promise<string> {
  if (name === "" || name.includes("\0")) throw new SamovarError("invalid_request", `${JSON.stringify(name)} can't be the name of a program`);
  const candidates = name.includes("/") ? [resolve(cwd, name)] : path.split(":").map((folder) => join(resolve(cwd, folder), name));
  let found: string | null = null;
  for (const candidate of candidates) {
    const kind = await kindOf(candidate);
    // In a folder of the PATH another folder is passed over, but a path says what is meant.
    if (kind === "folder" && name.includes("/")) found ??= candidate;
    if (kind !== "file") continue;
    found ??= candidate;
    if (await isExecutable(candidate)) return candidate;
  }
  throw new SamovarError(
    "not_found",
    found === null
      ? `The container has no program ${JSON.stringify(name)}${name.includes("/") ? "" : `: it is in no folder of its PATH, ${path}`}`
      : `${found} is there in the container, but may not be run: it has to be a file that is executable`,
    { fields: { exitCode: found === null ? EXIT_CODES.missing : EXIT_CODES.cannotRun } },
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

const kindOf = (path: string): Promise<"file" | "folder" | null> =>
  stat(path).then(
    (stats) => (stats.isFile() ? "file" : stats.isDirectory() ? "folder" : null),
    () => null,
  );

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
