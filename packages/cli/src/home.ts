import { userInfo } from "node:os";
import { join, resolve } from "node:path";

/** Folder of a server's state: SAMOVAR_HOME, else ~/.samovar. An empty variable is unset. */
export function homeOf(env: Readonly<Record<string, string | undefined>>, cwd: string): string {
  return resolve(cwd, env["SAMOVAR_HOME"] || join(env["HOME"] || userInfo().homedir, ".samovar"));
}
