import { SamovarError, parseDuration, show } from "@samovar/protocol";

/** What RFC 7240's header asks for. */
export interface Preference {
  /** `wait` without a value is Infinity: as long as the function's own timeout; undefined when not asked for. */
  readonly waitMs: number | undefined;
  readonly respondAsync: boolean;
}

const NONE: Preference = { waitMs: undefined, respondAsync: false };
const MAX_WAIT_MS = 86_400_000;

/** Reads `Prefer`. Preferences that are not known are ignored, as the RFC says; a `wait` that can't be read is not. */
export function parsePrefer(header: string | string[] | undefined): Preference {
  if (header === undefined) return NONE;
  let waitMs: number | undefined;
  let respondAsync = false;
  for (const part of (Array.isArray(header) ? header.join(",") : header).split(",")) {
    const [name, value] = part
      .split(";", 1)[0]!
      .split("=", 2)
      .map((text) => text.trim());
    switch (name!.toLowerCase()) {
      case "respond-async":
        respondAsync = true;
        break;
      case "wait":
        waitMs = value === undefined ? Infinity : parseWait(value.replace(/^"(.*)"$/, "$1"));
        break;
      default:
        break;
    }
  }
  return { waitMs, respondAsync };
}

function parseWait(text: string): number {
  try {
    const waitMs = parseDuration(text, "wait");
    if (waitMs >= 0 && waitMs <= MAX_WAIT_MS) return waitMs;
  } catch {
    // The message below says it in the header's own terms.
  }
  throw new SamovarError("invalid_request", `The header Prefer has wait=${show(text)}: give seconds up to 86400, such as wait=30`);
}
