/// <reference lib="esnext.temporal" />

/** A time in which nobody sets the clock on the wall. */
export interface Stretch {
  /** Negative infinity: since ever. */
  readonly fromMs: number;
  /** Not included. Infinity: nothing more is planned. */
  readonly untilMs: number;
  /** What the clock shows more than UTC does. */
  readonly offsetMs: number;
  /** What it did before. */
  readonly offsetBeforeMs: number;
}

/** Finding one takes far longer than all else about a run, and a few of them serve thousands of schedules. */
const known = new Map<string, Stretch[]>();
const KNOWN_PER_ZONE = 32;

/** Throws a RangeError for a timezone that there isn't. */
export function stretchAt(atMs: number, timezone: string): Stretch {
  const stretches = known.get(timezone) ?? [];
  const found = stretches.findLast(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs);
  if (found) return found;
  const stretch = findStretch(atMs, timezone);
  if (stretches.push(stretch) > KNOWN_PER_ZONE) stretches.shift();
  known.set(timezone, stretches);
  return stretch;
}

function findStretch(atMs: number, timezone: string): Stretch {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(timezone);
  // Itself included: what is looked for lies strictly before.
  const set = at.add({ milliseconds: 1 }).getTimeZoneTransition("previous");
  return {
    fromMs: set?.epochMilliseconds ?? -Infinity,
    untilMs: at.getTimeZoneTransition("next")?.epochMilliseconds ?? Infinity,
    offsetMs: toMs(at.offsetNanoseconds),
    offsetBeforeMs: toMs((set?.subtract({ milliseconds: 1 }) ?? at).offsetNanoseconds),
  };
}

const toMs = (nanoseconds: number): number => nanoseconds / 1_000_000;
