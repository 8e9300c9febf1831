import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

// Shell completion loads this at every press of a key: nothing but Node's own modules may be imported here.

/** What the holder of a home's lock writes beside it. */
export interface ServerFile {
  readonly pid: number;
  readonly url: string;
}

/** Of the server that holds a home now; null where none does. */
export async function readServerFile(home: string): Promise<ServerFile | null> {
  const text = await readText(join(home, "server.json"));
  if (text === null) return null;
  try {
    const file = JSON.parse(text) as ServerFile;
    return Number.isInteger(file.pid) && file.pid > 0 && typeof file.url === "string" && isAlive(file.pid) ? file : null;
  } catch {
    // Half written, or by something else: the same as none. Whoever needs one starts one, and the lock decides.
    return null;
  }
}

export async function readAdminToken(home: string): Promise<string | null> {
  return (await readText(join(home, "admin-token")))?.trim() ?? null;
}

/** Whether a process of this id runs. Another user's counts; one that ended and that nobody has waited for doesn't. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !isZombie(pid);
}

/** In a container whose first process reaps nobody, what ended stays in the process table for good. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")")).startsWith(") Z");
  } catch {
    // No /proc here, or it is gone this very moment, which the next look will say.
    return false;
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || (error as NodeJS.ErrnoException).code === "ENOTDIR") return null;
    throw error;
  }
}
