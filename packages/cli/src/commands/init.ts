import { lstat, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { makeFolders } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";
import { sdkEntry } from "../app/sdk-entry.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { InitFlags } from "../flags.ts";
import { toAppName } from "../init/app-name.ts";
import { toNewFiles, type NewFile } from "../init/templates.ts";
import { CLI_VERSION } from "../version.ts";

/** Makes a new app that runs as it is. Writes nothing at all where one of its files is there already. */
export async function init(context: CommandContext, options: InitFlags & { readonly folder?: string | undefined }): Promise<ExitCode> {
  const { io, screen } = context;
  const folder = resolve(io.cwd, options.folder ?? ".");
  const isCheckout = sdkEntry().endsWith(".ts");
  const files = toNewFiles({ name: toAppName(basename(folder)), template: options.template, sdkRange: isCheckout ? null : `^${CLI_VERSION}` });
  try {
    await assertNew(folder, files);
    makeFolders(folder);
    // `wx`: what came in between stays too.
    for (const file of files) await writeFile(join(folder, file.path), file.content, { flag: "wx" });
    if (isCheckout) await linkTypes(folder);
  } catch (error) {
    if (error instanceof SamovarError) throw error;
    throw new SamovarError("invalid_request", `${folder} can't be written: ${(error as Error).message}`, {
      cause: error,
      fields: { fix: "Name another folder" },
    });
  }
  if (options.json) {
    screen.print(`${JSON.stringify({ folder, files: files.map((file) => file.path) })}\n`);
    return 0;
  }
  const shown = relative(io.cwd, folder);
  screen.print(`Made ${files.map((file) => file.path).join(", ")} in ${shown === "" ? "this folder" : shown}\n`);
  const go = shown === "" ? "" : `cd ${/^[\w./-]+$/.test(shown) ? shown : `'${shown.replaceAll("'", String.raw`'\''`)}'`} && `;
  screen.note(`${screen.noteColors.cyan("  →")} ${go}samovar run app.ts`);
  return 0;
}

async function assertNew(folder: string, files: readonly NewFile[]): Promise<void> {
  const there: string[] = [];
  for (const { path } of files) if (await exists(join(folder, path))) there.push(path);
  if (there.length === 0) return;
  throw new SamovarError("conflict", `${folder} has ${there.join(", ")} already, and nothing is overwritten`, {
    fields: { fix: "Name a new folder, such as samovar init my-app" },
  });
}

/** In a checkout there is nothing to install: an editor finds the types of the SDK and of Node by links to them. */
async function linkTypes(folder: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const links = [
    ["samovar", dirname(dirname(sdkEntry()))],
    ["@types/node", dirname(require.resolve("@types/node/package.json"))],
  ] as const;
  for (const [name, target] of links) {
    const path = join(folder, "node_modules", name);
    makeFolders(dirname(path));
    if (!(await exists(path))) await symlink(target, path);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
