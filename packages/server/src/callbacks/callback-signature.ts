import { createHmac } from "node:crypto";

/** The key with which callbacks of an app are signed: the receiver of one app's can't forge another's. */
export function deriveCallbackKey(master: Uint8Array, app: string): Buffer {
  return createHmac("sha256", master).update(`samovar callback ${app}`).digest();
}

/** A key as receivers are given it. */
export function toCallbackSecret(key: Uint8Array): string {
  return `whsec_${Buffer.from(key).toString("base64")}`;
}

/** The headers of Standard Webhooks. The id is the same at every try; the time and with it the signature are of this one. */
export function signCallback(key: Uint8Array, id: string, nowMs: number, body: Uint8Array): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(nowMs / 1_000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
