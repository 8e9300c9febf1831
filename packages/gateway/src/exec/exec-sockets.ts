import { WebSocketServer } from "ws";
import type { ExecUpgrade } from "../upgrade.ts";
import type { ExecUpgradeOptions } from "./create-exec-upgrade.ts";
import { ExecConnection } from "./exec-connection.ts";

/** One message: what is typed or piped in comes in pieces far smaller than this. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
const TOKEN_PROTOCOL = "samovar.bearer.";

/** Turns upgrades that may come in into programs in containers. */
export function acceptExecs(options: ExecUpgradeOptions): ExecUpgrade {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: MAX_MESSAGE_BYTES,
    // Output is compressed by nobody's wish, and each connection would cost some hundred KiB for it.
    perMessageDeflate: false,
    // A token is not to be said back: browsers, which must be given one of what they offer, offer another beside it.
    handleProtocols: (offered) => [...offered].find((each) => !each.startsWith(TOKEN_PROTOCOL)) ?? false,
  });
  return (req, socket, head, containerId) => {
    server.handleUpgrade(req, socket, head, (webSocket) => void new ExecConnection(webSocket, containerId, options));
  };
}
