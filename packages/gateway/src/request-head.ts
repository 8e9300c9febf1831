import type { IncomingMessage } from "node:http";
import { CONTENT_TYPES, SamovarError, type InputHead, type RequestHead } from "@samovar/protocol";

const FORM = "application/x-www-form-urlencoded";

/** What concerns one connection only. */
const HOP_BY_HOP = new Set(["connection", "keep-alive", "proxy-connection", "proxy-authorization", "transfer-encoding", "te", "trailer", "upgrade", "expect"]);

/**
 * The request as `ctx.request` shows it. With `dropToken` the caller's own token stays here: containers never
 * carry a user's.
 */
export function toRequestHead(req: IncomingMessage, dropToken: boolean): RequestHead {
  const raw = req.rawHeaders;
  const headers: [string, string][] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || (dropToken && name === "authorization")) continue;
    headers.push([name, raw[i + 1]!]);
  }
  return { method: req.method!, url: `http://${req.headers.host ?? "localhost"}${req.url}`, headers };
}

/** How the body is to be read, by its content-type; a body without one is JSON. */
export function bodyEncoding(req: IncomingMessage): "json" | "value" | "raw" {
  const type = req.headers["content-type"];
  if (type === undefined || type === CONTENT_TYPES.json) return "json";
  const essence = essenceOf(type);
  if (essence === "" || essence === CONTENT_TYPES.json || (essence.startsWith("application/") && essence.endsWith("+json"))) return "json";
  return essence === CONTENT_TYPES.value ? "value" : "raw";
}

const EQUALS = 0x3d;
const BEGINS_JSON = /^\s*[{["]/;
const LONGEST_INDENT = 1_000;

/**
 * How a body that came whole is read. `curl -d` calls everything a form: what is none (it begins as JSON does, or has
 * no `=`) is read as JSON, so that `curl -d '{"a":1}'` does what it looks like. A real form stays raw.
 */
export function wholeEncoding(req: IncomingMessage, encoding: "json" | "value" | "raw", body: Buffer): "json" | "value" | "raw" {
  if (encoding !== "raw" || essenceOf(req.headers["content-type"]!) !== FORM || req.headers["content-encoding"] !== undefined) return encoding;
  const isForm = body.includes(EQUALS) && !BEGINS_JSON.test(body.toString("latin1", 0, LONGEST_INDENT));
  return isForm ? "raw" : "json";
}

/** What is queued is looked into, up to here: to read more of it would keep others waiting. */
const LOOKED_INTO_BYTES = 1024 * 1024;

/**
 * Throws `invalid_json` for what can't be a task's input: its worker would say so, but to nobody who is still there. A
 * larger body is its worker's to read.
 */
export function assertQueueable(encoding: InputHead["encoding"], body: Buffer | null): void {
  if (encoding !== "json" || body === null || body.length > LOOKED_INTO_BYTES) return;
  try {
    JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new SamovarError("invalid_json", `The body is not JSON: ${(error as Error).message}`);
  }
}

/** A content-type without its parameters. */
function essenceOf(type: string): string {
  const end = type.indexOf(";");
  return (end < 0 ? type : type.slice(0, end)).trim().toLowerCase();
}

/** JSON and values are read as they come: a compressed one would only fail later, and say less. */
export function assertPlainBody(req: IncomingMessage, encoding: InputHead["encoding"]): void {
  const coding = req.headers["content-encoding"];
  if (coding === undefined || encoding === "raw" || coding.trim().toLowerCase() === "identity") return;
  throw new SamovarError("invalid_request", `The header content-encoding has "${coding}": JSON and values are read uncompressed, send the body plain`);
}

/** How the answer is wanted, by `accept`. */
export function wantedAnswer(req: IncomingMessage): { reply: InputHead["reply"]; stream: InputHead["stream"] } {
  const accept = req.headers.accept;
  if (accept === undefined || accept === "*/*") return HTTP_NDJSON;
  // The name of a stream of values begins with that of one value.
  if (accept.includes(CONTENT_TYPES.value)) return VALUE;
  return accept.includes(CONTENT_TYPES.sse) ? HTTP_SSE : HTTP_NDJSON;
}

const HTTP_NDJSON = { reply: "http", stream: "ndjson" } as const;
const HTTP_SSE = { reply: "http", stream: "sse" } as const;
const VALUE = { reply: "value", stream: "values" } as const;
