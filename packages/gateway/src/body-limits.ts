import { SamovarError } from "@samovar/protocol";

export interface BodyLimits {
  readonly maxBytes: number;
  /** A body that is gathered must be whole by then. */
  readonly gatherMs: number;
  /** A body that is streamed must bring something within this, while it is being read. */
  readonly idleMs: number;
}

export function tooLarge(size: number, maxBytes: number): SamovarError {
  return new SamovarError("payload_too_large", `The body has ${size} bytes or more: the limit is ${maxBytes}`, { fields: { maxBytes } });
}
