import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SAMOVAR = fileURLToPath(new URL("../../node_modules/.bin/samovar", import.meta.url));

/** The `samovar` command with a home of its own, and nothing else of whoever runs the bench. */
export function spawnSamovar(home: string, args: readonly string[], cwd: string): ChildProcess {
  const { PATH, HOME } = process.env;
  return spawn(process.execPath, [SAMOVAR, ...args], { cwd, env: { PATH, HOME, SAMOVAR_HOME: home, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] });
}

/** Runs it to its end. Throws what it wrote when it fails. */
export async function runSamovar(home: string, args: readonly string[]): Promise<void> {
  const command = spawnSamovar(home, args, home);
  let written = "";
  for (const stream of [command.stdout, command.stderr]) stream?.on("data", (chunk: Buffer) => (written += chunk.toString()));
  const [code] = (await once(command, "close")) as [number | null];
  if (code !== 0) throw new Error(`samovar ${args.join(" ")} ended with ${code}:\n${written}`);
}
