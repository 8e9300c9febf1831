import { SamovarError, encodeJson } from "@samovar/protocol";

/** What commands write of a result: a line of JSON, or bytes as they are. */
export type ShownResult = { readonly kind: "line"; readonly text: string } | { readonly kind: "bytes"; readonly bytes: Uint8Array };

/**
 * A result as one line of JSON; `undefined` is `null`, so that there is always a line. Bytes go out as they are,
 * to be redirected. What JSON would change (Map, Date, BigInt …) is refused with its path and what to return.
 */
export function toShownResult(value: unknown, isTerminal: boolean): ShownResult {
  if (value instanceof Uint8Array) {
    if (!isTerminal) return { kind: "bytes", bytes: value };
    throw new SamovarError("unserializable_result", `The result is ${value.length} bytes, which a terminal can't show`, {
      fields: { fix: "Send them to a file: add > FILE" },
    });
  }
  return { kind: "line", text: `${encodeJson(value)}\n` };
}
