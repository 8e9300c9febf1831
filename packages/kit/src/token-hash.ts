import { createHash } from "node:crypto";

/** SHA-256 of a token, hex: what is kept and compared in its place, so that no store or memory holds the token itself. */
export function hashToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
