import type { IncomingMessage, ServerResponse } from "node:http";
import { CONTENT_TYPES } from "@samovar/protocol";

/** `/livez` and `/readyz`: 200, or 503 with the reason. Anyone may ask. */
export function answerHealth(req: IncomingMessage, res: ServerResponse, reason: string | null): void {
  const served = req.method === "GET" || req.method === "HEAD";
  const status = !served ? 405 : reason === null ? 200 : 503;
  const body = Buffer.from(JSON.stringify(reason === null ? { status: "ok" } : { status: "unavailable", reason }));
  res.writeHead(status, {
    "cache-control": "no-store",
    ...(served ? { "content-type": CONTENT_TYPES.json, "content-length": body.length } : { allow: "GET, HEAD", "content-length": 0 }),
  });
  if (served) res.end(body);
  else res.end();
}
