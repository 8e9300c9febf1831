import { randomBytes } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import type { CallbackBody, SamovarError } from "./index.ts";
import { verifyCallback } from "./verify-callback.ts";

const secret = `whsec_${randomBytes(32).toString("base64")}`;
const other = `whsec_${randomBytes(32).toString("base64")}`;
const event = { type: "task.completed", timestamp: new Date(0).toISOString(), data: { id: "tk_1", result: "käse ☕" } };
const body = JSON.stringify(event);

/** Signed by a library that is not ours. */
function sign(key = secret, at = new Date(), id = "cb_1"): Record<string, string> {
  return { "webhook-id": id, "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)), "webhook-signature": new Webhook(key).sign(id, at, body) };
}

const refusal = (options: Partial<Parameters<typeof verifyCallback>[0]>): string => {
  try {
    verifyCallback({ body, headers: sign(), secret, ...options });
  } catch (error) {
    return `${(error as SamovarError).code}: ${(error as SamovarError).message}`;
  }
  return "taken";
};

test("what another library signs is taken, as text or bytes, with the headers of fetch and of node:http", () => {
  const seen: CallbackBody = verifyCallback({ body, headers: sign(), secret });
  expect(seen).toEqual(event);
  expect(verifyCallback({ body: new TextEncoder().encode(body), headers: new Headers(sign()), secret })).toEqual(event);
  expect(verifyCallback({ body, headers: Object.fromEntries(Object.entries(sign()).map(([name, value]) => [name.toUpperCase(), [value]])), secret })).toEqual(
    event,
  );
  expect(verifyCallback({ body, headers: sign(secret.slice("whsec_".length)), secret: secret.slice("whsec_".length) })).toEqual(event);
});

test("while the secret is being changed either will do, on both sides", () => {
  expect(verifyCallback({ body, headers: sign(other), secret: [secret, other] })).toEqual(event);
  const both = sign();
  both["webhook-signature"] = `${sign(other)["webhook-signature"]} v1a,xyz ${both["webhook-signature"]}`;
  expect(verifyCallback({ body, headers: both, secret })).toEqual(event);
});

test("what is not to be believed is refused, with what is wrong", () => {
  const { "webhook-id": _, ...withoutId } = sign();
  expect(refusal({ headers: withoutId })).toBe("unauthorized: The callback is not to be believed: the header webhook-id is missing");
  expect(refusal({ body: `${body} ` })).toContain("unauthorized: The callback is not to be believed: no signature fits");
  expect(refusal({ secret: other })).toContain("no signature fits");
  expect(refusal({ headers: { ...sign(), "webhook-id": "cb_2" } })).toContain("no signature fits");
  expect(refusal({ headers: { ...sign(), "webhook-signature": "v1,AAAA v1," } })).toContain("no signature fits");
  expect(refusal({ headers: { ...sign(), "webhook-signature": "v2,AAAA" } })).toContain("none in it has the form v1,<base64>");
  expect(refusal({ headers: { ...sign(), "webhook-timestamp": "now" } })).toContain('webhook-timestamp is "now", not seconds since 1970');
});

test("what is older or newer than five minutes may be a repetition, unless asked otherwise", () => {
  const before = new Date(Date.now() - 400_000);
  const after = new Date(Date.now() + 400_000);
  expect(refusal({ headers: sign(secret, before) })).toMatch(/it was sent \d+ s ago, which is more than 300 s off\. Is this machine's clock right\?$/);
  expect(refusal({ headers: sign(secret, after) })).toMatch(/s in the future/);
  expect(refusal({ headers: sign(secret, before), tolerance: "10m" })).toBe("taken");
  expect(refusal({ headers: { ...sign(), "webhook-timestamp": "9".repeat(15) } })).toContain("in the future");
});

test("a secret or a body that is none is the receiver's own mistake, never a key that everyone has", () => {
  for (const wrong of ["", "whsec_", "whsec_***", undefined as never, []]) expect(refusal({ secret: wrong })).toContain("invalid_option: secret is");
  expect(refusal({ body: event as never })).toContain("invalid_option: body is");
  const signed = { body: "no json", headers: { ...sign(), "webhook-signature": new Webhook(secret).sign("cb_1", new Date(), "no json") } };
  expect(refusal(signed)).toContain("invalid_json");
});
