/// <reference lib="esnext.temporal" />

/** What the clock on the wall shows at a moment, in milliseconds as if it showed UTC. */
export function toWall(atMs: number, timezone: string): number {
  const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(timezone);
  return atMs + offsetNanoseconds / 1_000_000;
}

/** When it shows that: the first time where it does so twice; where it never does, since it is set forward, when that happens. */
export function fromWall(wallMs: number, timezone: string): number {
  const shown = Temporal.Instant.fromEpochMilliseconds(wallMs).toZonedDateTimeISO("UTC").toPlainDateTime();
  const earlier = shown.toZonedDateTime(timezone, { disambiguation: "earlier" });
  if (toWall(earlier.epochMilliseconds, timezone) === wallMs) return earlier.epochMilliseconds;
  return earlier.getTimeZoneTransition("next")?.epochMilliseconds ?? earlier.epochMilliseconds;
}

/** A time in which nobody sets the clock. */
export interface Stretch {
  readonly fromMs: number;
  /** Not included. */
  readonly untilMs: number;
  /** What the clock shows more than UTC does. */
  readonly offsetMs: number;
}

export function findStretch(atMs: number, timezone: string): Stretch {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(timezone);
  return {
    fromMs: at.add({ milliseconds: 1 }).getTimeZoneTransition("previous")?.epochMilliseconds ?? -Infinity,
    untilMs: at.getTimeZoneTransition("next")?.epochMilliseconds ?? Infinity,
    offsetMs: at.offsetNanoseconds / 1_000_000,
  };
}
