import type { ServerInfo } from "@samovar/protocol";
import { ControlClient } from "../client/control-client.ts";
import { findServer } from "../server-link/find-server.ts";
import type { Settings } from "../settings.ts";
import { missing, ok, problem, type Finding } from "./finding.ts";

export interface ServerCheck {
  readonly finding: Finding;
  /** Of the server that commands would use, where it answers. */
  readonly info: ServerInfo | null;
}

/** A server that does not run is nothing wrong; one that is named or holds the home, and does not answer, is. */
export async function checkServer(settings: Settings, signal: AbortSignal): Promise<ServerCheck> {
  const title = "Server";
  let url = settings.url;
  try {
    const address = await findServer(settings);
    if (!address) return { finding: ok(title, "none runs: `samovar up -d` starts one"), info: null };
    ({ url } = address);
    const client = await ControlClient.create(address.url, address.token);
    try {
      const info = await client.server(signal);
      const holds = settings.url === null ? `holds ${settings.home}` : "is the one of SAMOVAR_URL";
      return { finding: ok(title, `${info.version} at ${info.url} (pid ${info.pid}) ${holds}`), info };
    } finally {
      client.dispose();
    }
  } catch (error) {
    signal.throwIfAborted();
    const detail = (error as Error).message;
    // The home's own trouble is told by its check.
    if (url === null) return { finding: missing(title, detail), info: null };
    const fix =
      settings.url === null
        ? `Look at ${settings.home}/logs/server.log`
        : "Unset SAMOVAR_URL to use a server of this machine, or set SAMOVAR_TOKEN to a token of that one";
    return { finding: problem(title, detail, fix), info: null };
  }
}
