import type { IncomingMessage, ServerResponse } from "node:http";
import { CONTENT_TYPES, SamovarError } from "@samovar/protocol";

const METHODS = ["GET", "HEAD"];

/** Throws `method_not_allowed` for what is only read, such as health and metrics. */
export function assertReads(req: IncomingMessage, path: string): void {
  if (METHODS.includes(req.method!)) return;
  throw new SamovarError("method_not_allowed", `${req.method} is not served at ${path}: use ${METHODS.join(", ")}`, { fields: { allow: METHODS } });
}

/** `/livez` and `/readyz`: 200, or 503 with the reason. Anyone may ask. */
export function answerHealth(req: IncomingMessage, res: ServerResponse, reason: string | null): void {
  assertReads(req, "/livez and /readyz");
  const body = Buffer.from(JSON.stringify(reason === null ? { status: "ok" } : { status: "unavailable", reason }));
  res.writeHead(reason === null ? 200 : 503, { "cache-control": "no-store", "content-type": CONTENT_TYPES.json, "content-length": body.length });
  if (req.method === "HEAD") res.end();
  else res.end(body);
}
