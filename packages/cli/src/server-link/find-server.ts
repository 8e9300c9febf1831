import type { Settings } from "../settings.ts";
import { inHome } from "./in-home.ts";
import { readAdminToken, readServerFile } from "./server-file.ts";

/** Where a server is reached, and as whom. */
export interface ServerAddress {
  readonly url: string;
  readonly token: string | null;
  /** Null for a server that SAMOVAR_URL names: it may be on another machine. */
  readonly pid: number | null;
}

/** The server that SAMOVAR_URL names, else the one that holds the home; null when none does. */
export async function findServer(settings: Settings): Promise<ServerAddress | null> {
  if (settings.url !== null) return { url: settings.url, token: settings.token, pid: null };
  return await inHome(settings.home, async () => {
    const file = await readServerFile(settings.home);
    if (!file) return null;
    return { url: file.url, token: settings.token ?? (await readAdminToken(settings.home)), pid: file.pid };
  });
}
