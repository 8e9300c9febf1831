import type { IncomingMessage, ServerResponse } from "node:http";
import { BlockList } from "node:net";
import { SamovarError } from "@samovar/protocol";
import { hasScope, unauthorized, type Authenticator } from "./authenticator.ts";
import { assertReads } from "./health.ts";
import type { RequestHost } from "./host.ts";

/** What `/metrics` answers with. */
export interface MetricsAnswer {
  readonly contentType: string;
  readonly body: string;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8, "ipv4");
LOOPBACK.addAddress("::1", "ipv6");

/** What proxies add: behind one, everybody comes from its address. */
const FORWARDING = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/** Throws what keeps this request from the metrics. From this machine they need no token, as scrapers have none. */
export function assertMayReadMetrics(req: IncomingMessage, host: RequestHost, authenticator: Authenticator): void {
  assertReads(req, "/metrics");
  const { authorization } = req.headers;
  if (authorization === undefined && isLocal(req, host)) return;
  const principal = authenticator.authenticate(authorization);
  if (!principal) throw unauthorized(authorization);
  if (!hasScope(principal, "admin", "invoke"))
    throw new SamovarError("forbidden", `The token "${principal.name}" may not read metrics: it lacks the scope invoke or admin`);
  if (principal.app !== null)
    throw new SamovarError("forbidden", `The token "${principal.name}" is for the app "${principal.app}" only: the metrics are of all apps`);
}

function isLocal(req: IncomingMessage, host: RequestHost): boolean {
  const { remoteAddress, remoteFamily } = req.socket;
  if (host.kind !== "server" || !host.loopback || remoteAddress === undefined) return false;
  return LOOPBACK.check(remoteAddress, remoteFamily === "IPv6" ? "ipv6" : "ipv4") && !FORWARDING.some((name) => req.headers[name] !== undefined);
}

export function sendMetrics(req: IncomingMessage, res: ServerResponse, { contentType, body }: MetricsAnswer): void {
  if (res.destroyed) return;
  const bytes = Buffer.from(body);
  res.writeHead(200, { "content-type": contentType, "content-length": bytes.length, "cache-control": "no-store" });
  if (req.method === "HEAD") res.end();
  else res.end(bytes);
}
