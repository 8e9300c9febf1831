import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { SamovarError, show } from "@samovar/protocol";
import { withoutHost, type Hosts } from "./host.ts";
import { toSamovarError } from "./problem.ts";
import { splitTarget, takeOriginForm } from "./route.ts";
import { endWithProblem } from "./socket-problem.ts";

/**
 * Takes over the WebSocket of `/api/v1/containers/{id}/exec`. Host and Origin have been checked; the token has not. What it
 * opens ends with the socket, which the gateway destroys when its own time is over.
 */
export type ExecUpgrade = (req: IncomingMessage, socket: Duplex, head: Buffer, containerId: string) => void;

export interface UpgradeContext {
  readonly hosts: Hosts;
  readonly draining: boolean;
  readonly execUpgrade: ExecUpgrade | undefined;
  onInternalError(error: unknown): void;
}

const EXEC = /^\/api\/v1\/containers\/([^/]+)\/exec$/;

/** Other protocols, such as the `h2c` that some clients offer with each request, are not taken up: the request is as any. */
export function wantsUpgrade(req: IncomingMessage): boolean {
  return req.headers.upgrade?.toLowerCase() === "websocket";
}

export const isExecPath = (path: string): boolean => EXEC.test(path);

/** A WebSocket's first request: whatever is no way in gets an HTTP answer, and its connection is closed. */
export function handleUpgrade(context: UpgradeContext, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  try {
    const host = context.hosts.read(req.rawHeaders);
    if (!host) throw withoutHost();
    if (host.kind === "foreign") throw context.hosts.refuse(host.name);
    const { path } = splitTarget(takeOriginForm(req));
    const containerId = host.kind === "server" ? EXEC.exec(path)?.[1] : undefined;
    if (containerId === undefined) throw new SamovarError("not_found", `No WebSocket is served at ${show(path)}`);
    assertOwnOrigin(req.headers.origin, req.headers.host!);
    if (context.draining) throw new SamovarError("shutting_down", "The server is shutting down: call again when it is back");
    if (!context.execUpgrade) throw new SamovarError("unsupported", "This server runs no programs in containers");
    context.execUpgrade(req, socket, head, containerId);
  } catch (thrown) {
    const error = toSamovarError(thrown);
    if (error.code === "internal") context.onInternalError(thrown);
    endWithProblem(socket, error);
  }
}

/**
 * A page may open WebSockets to anywhere, and reads what they say: CORS knows nothing of them. Browsers tell whose page it is;
 * who sends no Origin is no browser.
 */
function assertOwnOrigin(origin: string | undefined, host: string): void {
  if (origin === undefined) return;
  const from = URL.parse(origin);
  if (from !== null && from.host !== "" && from.host === URL.parse(`${from.protocol}//${host}`)?.host) return;
  throw new SamovarError("forbidden", `A page of ${show(origin)} may not open WebSockets to this server: its own origin is that of the host ${host}`);
}
