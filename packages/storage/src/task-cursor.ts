import { SamovarError } from "@samovar/protocol";
import type { ListPosition } from "./task-operations.ts";

/** Opaque to whoever gets it, so that it may come to mean something else. */
export function toCursor({ seq, call }: ListPosition): string {
  return Buffer.from(`2:${seq}:${call}`).toString("base64url");
}

export function parseCursor(cursor: string): ListPosition {
  const [, digits, call] = /^2:([1-9]\d{0,15}):([\w~-]{0,100})$/.exec(Buffer.from(cursor, "base64url").toString("latin1")) ?? [];
  const seq = Number(digits);
  if (call === undefined || !Number.isSafeInteger(seq) || toCursor({ seq, call }) !== cursor) {
    throw new SamovarError(
      "invalid_request",
      `Cursor ${JSON.stringify(cursor.slice(0, 100))} is none of a list of tasks: leave it out to begin with the newest`,
    );
  }
  return { seq, call };
}
