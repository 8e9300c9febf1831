import { CONTENT_TYPES, HEADERS, type AnswerHead } from "@samovar/protocol";
import type { FlatHeaders } from "./problem.ts";

/** What concerns one connection only, or is ours to say: never taken over from an answer. */
const NOT_TAKEN = new Set<string>([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "content-length",
  HEADERS.taskId,
  HEADERS.containerId,
  HEADERS.version,
  HEADERS.coldStart,
]);

/** What a browser applies to all of an origin, and by path the origin is not the function's alone; or what we say there. */
const OF_ORIGIN = new Set<string>([
  "alt-svc",
  "clear-site-data",
  "nel",
  "report-to",
  "service-worker-allowed",
  "set-login",
  "strict-transport-security",
  "use-as-dictionary",
  "x-content-type-options",
]);

/** Types that a browser may show as a document with scripts; and several, or parts of any type, of which one may be. */
const ACTIVE = /html|xml|xsl|multipart|,/i;

/** The headers of an answer on the function's own host. */
export function appendAnswerHeaders(target: FlatHeaders, headers: AnswerHead["headers"]): FlatHeaders {
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!NOT_TAKEN.has(lower)) target.push(name, lower === "set-cookie" ? scopeCookie(value, null) : value);
  }
  return target;
}

/**
 * The headers of an answer by path, where all functions and the control API share one origin: documents are put into a sandbox
 * (beside whatever policy the handler has set), types are not guessed, cookies reach their function only,
 * and what would hold for the whole origin is left out. `prefix` is the path of the function.
 */
export function appendSharedHeaders(target: FlatHeaders, headers: AnswerHead["headers"], prefix: () => string): FlatHeaders {
  let isTyped = false;
  let isActive = false;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (NOT_TAKEN.has(lower) || OF_ORIGIN.has(lower)) continue;
    if (lower === "content-type") {
      isTyped = true;
      isActive ||= value !== CONTENT_TYPES.json && (ACTIVE.test(value) || !value.includes("/"));
    }
    target.push(name, lower === "set-cookie" ? scopeCookie(value, prefix()) : value);
  }
  if (isActive || !isTyped) target.push("content-security-policy", "sandbox");
  target.push("x-content-type-options", "nosniff");
  return target;
}

/**
 * A cookie that goes back to its function and to nothing else: no domain, which could only be the server's, and, unless the host is
 * the function's own, a path at or below `prefix`.
 */
export function scopeCookie(cookie: string, prefix: string | null): string {
  const [pair, ...attributes] = cookie.split(";");
  let path = prefix;
  const kept = attributes.filter((attribute) => {
    const [name, value = ""] = attribute.split("=", 2).map((text) => text.trim());
    if (/^domain$/i.test(name!)) return false;
    if (prefix === null || !/^path$/i.test(name!)) return true;
    path = value === prefix || value.startsWith(`${prefix}/`) ? value : prefix;
    return false;
  });
  const scoped = [pair, ...kept].join(";");
  return path === null ? scoped : `${scoped}; Path=${path}`;
}

/** The length that a streamed answer declares of itself. */
export function declaredLength(headers: AnswerHead["headers"]): number | undefined {
  const value = headers.find(([name]) => name.toLowerCase() === "content-length")?.[1];
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}
