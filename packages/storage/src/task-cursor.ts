import { SamovarError } from "@samovar/protocol";

/** Opaque to whoever gets it, so that it may come to mean something else. */
export function toCursor(seq: number): string {
  return Buffer.from(`1:${seq}`).toString("base64url");
}

export function parseCursor(cursor: string): number {
  const [, digits] = /^1:([1-9]\d{0,15})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  const seq = Number(digits);
  if (!Number.isSafeInteger(seq) || toCursor(seq) !== cursor) {
    throw new SamovarError(
      "invalid_request",
      `Cursor ${JSON.stringify(cursor.slice(0, 100))} is none of a list of tasks: leave it out to begin with the newest`,
    );
  }
  return seq;
}
