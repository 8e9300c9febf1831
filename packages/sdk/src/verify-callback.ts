import { parseDuration, SamovarError, show, type CallbackBody, type Duration } from "@samovar/protocol";

export interface CallbackRequest {
  /** As it came, byte for byte: a body that was parsed and written again has another signature. */
  readonly body: string | Uint8Array;
  /** Of the request: `Headers`, or an object such as `request.headers` of `node:http`. */
  readonly headers: Pick<Headers, "get"> | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** `whsec_…`, as `samovar callback secret` prints it; while it is being changed, the new one and the old one. */
  readonly secret: string | readonly string[];
  /** How far the sender's clock may be from this one, either way: older ones may be repeated by whoever overheard them. Default 5 minutes. */
  readonly tolerance?: Duration;
}

const PREFIX = "whsec_";
const DEFAULT_TOLERANCE = "5m";

/**
 * Checks that a request to your `callbackUrl` was sent by your Samovar, unchanged and lately, and gives what it says. It is
 * signed as Standard Webhooks says (https://www.standardwebhooks.com), so that their libraries do as well.
 *
 * Throws `unauthorized`, with what is wrong, for a request that is not to be believed. The same callback may come more than
 * once: `webhook-id` is the same then.
 *
 * @example
 * app.post("/hooks/samovar", async (c) => {
 *   const event = verifyCallback({ body: await c.req.text(), headers: c.req.raw.headers, secret });
 *   if (event.type === "task.completed") await save(event.data.id, event.data.result);
 *   return c.body(null, 204);
 * });
 */
export function verifyCallback({ body, headers, secret, tolerance = DEFAULT_TOLERANCE }: CallbackRequest): CallbackBody {
  const { createHmac, timingSafeEqual } = process.getBuiltinModule("node:crypto");
  if (typeof body !== "string" && !(body instanceof Uint8Array))
    throw new SamovarError(
      "invalid_option",
      `body is ${show(body)}, but it takes the request's text or bytes as they came: read them before anything parses them`,
    );
  const keys = (Array.isArray(secret) ? (secret as readonly unknown[]) : [secret]).map(toKey);
  if (keys.length === 0) throw new SamovarError("invalid_option", "secret is an empty list, but it takes a whsec_… or a list of them");
  const id = readHeader(headers, "webhook-id");
  const timestamp = readHeader(headers, "webhook-timestamp");
  const signatures = readHeader(headers, "webhook-signature");
  checkTime(timestamp, parseDuration(tolerance, "tolerance"));
  const given = signatures.split(" ").flatMap((text) => (text.startsWith("v1,") ? [Buffer.from(text.slice(3), "base64")] : []));
  if (given.length === 0) throw refuse(`webhook-signature is ${show(signatures)}, and none in it has the form v1,<base64>`);
  // All are compared, whichever fits: how long it takes says nothing.
  let fits = false;
  for (const key of keys) {
    const wanted = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
    for (const signature of given) if (signature.length === wanted.length && timingSafeEqual(signature, wanted)) fits = true;
  }
  if (!fits) throw refuse("no signature fits: the secret is another one, or the body is not what was sent, byte for byte");
  return readCallback(typeof body === "string" ? body : new TextDecoder().decode(body));
}

const refuse = (what: string): SamovarError => new SamovarError("unauthorized", `The callback is not to be believed: ${what}`);

function toKey(secret: unknown): Buffer {
  // A file that a shell wrote ends with a newline.
  const given = typeof secret === "string" ? secret.trim() : "";
  const text = given.slice(given.startsWith(PREFIX) ? PREFIX.length : 0);
  const key = Buffer.from(text, "base64");
  // What is no secret must not be a key that everyone has: base64 of junk is empty.
  if (key.length > 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)) return key;
  throw new SamovarError(
    "invalid_option",
    `secret is ${secret === undefined ? "not set" : "no signing secret"}: it takes ${PREFIX} and base64, as \`samovar callback secret\` prints it`,
  );
}

function readHeader(headers: CallbackRequest["headers"], name: string): string {
  const value = isHeaders(headers) ? headers.get(name) : findHeader(headers, name);
  if (typeof value === "string" && value !== "") return value;
  throw refuse(`the header ${name} is missing`);
}

const isHeaders = (headers: CallbackRequest["headers"]): headers is Pick<Headers, "get"> => typeof headers.get === "function";

function findHeader(headers: Readonly<Record<string, unknown>>, name: string): unknown {
  const key = Object.keys(headers).find((one) => one.toLowerCase() === name);
  const value = key === undefined ? undefined : headers[key];
  return Array.isArray(value) ? value.join(" ") : value;
}

function checkTime(timestamp: string, toleranceMs: number): void {
  if (!/^\d{1,15}$/.test(timestamp)) throw refuse(`webhook-timestamp is ${show(timestamp)}, not seconds since 1970`);
  const ageMs = Date.now() - Number(timestamp) * 1_000;
  if (Math.abs(ageMs) <= toleranceMs) return;
  const seconds = Math.round(Math.abs(ageMs) / 1_000);
  throw refuse(
    `it was sent ${seconds} s ${ageMs > 0 ? "ago" : "in the future"}, which is more than ${toleranceMs / 1_000} s off. Is this machine's clock right?`,
  );
}

function readCallback(text: string): CallbackBody {
  try {
    return JSON.parse(text) as CallbackBody;
  } catch (error) {
    throw new SamovarError("invalid_json", "The callback is signed, but its body is not JSON", { cause: error });
  }
}
