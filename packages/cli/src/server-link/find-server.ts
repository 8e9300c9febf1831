import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { inHome } from "./in-home.ts";
import type { Settings } from "../settings.ts";

/** Where a server is reached, and as whom. */
export interface ServerAddress {
  readonly url: string;
  readonly token: string | null;
  /** Null for a server that SAMOVAR_URL names: it may be on another machine. */
  readonly pid: number | null;
}

/** What the holder of a home's lock writes beside it. */
interface ServerFile {
  readonly pid: number;
  readonly url: string;
}

/** The server that SAMOVAR_URL names, else the one that holds the home; null when none does. */
export async function findServer(settings: Settings): Promise<ServerAddress | null> {
  if (settings.url !== null) return { url: settings.url, token: settings.token, pid: null };
  return await inHome(settings.home, async () => {
    const file = await readServerFile(settings.home);
    if (!file || !isAlive(file.pid)) return null;
    return { url: file.url, token: settings.token ?? (await readText(join(settings.home, "admin-token")))?.trim() ?? null, pid: file.pid };
  });
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

async function readServerFile(home: string): Promise<ServerFile | null> {
  const text = await readText(join(home, "server.json"));
  if (text === null) return null;
  try {
    const file = JSON.parse(text) as ServerFile;
    return Number.isInteger(file.pid) && file.pid > 0 && typeof file.url === "string" ? file : null;
  } catch {
    // Half written, or by something else: the same as none. Whoever needs one starts one, and the lock decides.
    return null;
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
