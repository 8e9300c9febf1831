import { show } from "@samovar/protocol";
import { Cron } from "croner";
import { findStretch, fromWall, toWall, type Stretch } from "./wall-clock.ts";

/** What can be written in place of five fields. */
const NAMES = new Set(["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"]);

/** Where searching for the first run begins, to find out whether there is any: whatever runs at all runs after it. */
const LONG_AGO = new Date("2000-01-01T00:00:00Z");

/** Why nothing can run by this; undefined if it can. */
export function describeCronProblem(cron: string): string | undefined {
  const says = `when is ${show(cron)}, which`;
  const how = `give five fields (minute hour day month weekday), six with seconds first, or one of ${[...NAMES].join(", ")}`;
  const text = cron.trim();
  if (text.startsWith("@")) return NAMES.has(text.toLowerCase()) ? undefined : `${says} is none of the names that there are: ${how}`;
  const fields = text === "" ? 0 : text.split(/\s+/).length;
  if (fields !== 5 && fields !== 6) return `${says} has ${fields} ${fields === 1 ? "field" : "fields"}: ${how}`;
  let runs: Date | null;
  try {
    runs = parseCron(text).nextRun(LONG_AGO);
  } catch (error) {
    return `${says} is no cron expression (${reason(error)}): ${how}`;
  }
  return runs ? undefined : `${says} never runs: no month has such a day`;
}

/** Why this is no timezone; undefined if it is one. */
export function describeTimezoneProblem(timezone: string): string | undefined {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return undefined;
  } catch {
    return `timezone is ${show(timezone)}, which this server doesn't know: give an IANA name, such as "Europe/Berlin" or "UTC"`;
  }
}

/** The runs of one cron expression in one timezone: whole seconds since the epoch, in milliseconds. */
export interface Runs {
  /** The first one after a moment; null when there is none. */
  next(afterMs: number): number | null;
  /** Up to `count` of them until a moment, itself included, the latest first. */
  previous(untilMs: number, count: number): readonly number[];
}

/** Throws for what `describeCronProblem` and `describeTimezoneProblem` describe. */
export function createRuns(cron: string, timezone: string): Runs {
  return (isEveryHour(cron) ? hourlyRuns : namedRuns)(parseCron(cron), timezone);
}

/**
 * It finds times as if no clock were ever set forward or back, and the moment of each is ours to find: croner's own rules
 * for that lose times where a gap ends at midnight, and have no sensible one for several hours or steps.
 */
function parseCron(cron: string): Cron {
  return new Cron(cron.trim(), { utcOffset: 0, paused: true, mode: "5-or-6-parts" });
}

/** By real time: whenever the clock on the wall shows it, also for the second time. */
function hourlyRuns(cron: Cron, timezone: string): Runs {
  let last: Stretch | undefined;
  const stretchAt = (atMs: number): Stretch => (last && atMs >= last.fromMs && atMs < last.untilMs ? last : (last = findStretch(atMs, timezone)));
  return {
    next(afterMs) {
      for (let fromMs = afterMs; ;) {
        const { offsetMs, untilMs } = stretchAt(fromMs);
        // Of a later stretch, its first second counts, too.
        const wall = cron.nextRun(new Date(fromMs + offsetMs - (fromMs === afterMs ? 0 : 1)));
        if (!wall) return null;
        if (wall.getTime() - offsetMs < untilMs) return wall.getTime() - offsetMs;
        fromMs = untilMs;
      }
    },
    previous(untilMs, count) {
      const found: number[] = [];
      for (let endMs = untilMs; found.length < count;) {
        const { offsetMs, fromMs } = stretchAt(endMs);
        const walls = cron.previousRuns(count - found.length, new Date(nextSecond(endMs + offsetMs)));
        const own = walls.map((wall) => wall.getTime() - offsetMs).filter((atMs) => atMs >= fromMs);
        found.push(...own);
        if (fromMs === -Infinity) break;
        endMs = fromMs - 1;
      }
      return found;
    },
  };
}

/**
 * By the clock on the wall: each time that is named runs once, at the first of two, and where there is none such that
 * day when the gap is over.
 */
function namedRuns(cron: Cron, timezone: string): Runs {
  return {
    next(afterMs) {
      let wall = cron.nextRun(new Date(toWall(afterMs, timezone)));
      // In an hour that comes for the second time, its times have run.
      while (wall && fromWall(wall.getTime(), timezone) <= afterMs) wall = cron.nextRun(wall);
      return wall ? fromWall(wall.getTime(), timezone) : null;
    },
    previous(untilMs, count) {
      const found: number[] = [];
      // In such an hour, all of its times are over, also those that the wall doesn't show yet.
      const latestWallMs = Math.max(toWall(untilMs, timezone), toWall(untilMs - DAY_MS, timezone) + DAY_MS);
      for (let end = new Date(nextSecond(latestWallMs)); found.length < count;) {
        const walls = cron.previousRuns(count, end);
        const last = walls.at(-1);
        if (!last) break;
        end = last;
        for (const wall of walls) {
          const atMs = fromWall(wall.getTime(), timezone);
          if (atMs <= untilMs && atMs !== found.at(-1)) found.push(atMs);
        }
      }
      return found.slice(0, count);
    },
  };
}

const DAY_MS = 86_400_000;

const nextSecond = (atMs: number): number => Math.floor(atMs / 1_000) * 1_000 + 1_000;

/** Whether its hours are all there are, however that is written. */
function isEveryHour(cron: string): boolean {
  const fields = cron.trim().split(/\s+/);
  return fields.length < 5 ? fields[0]?.toLowerCase() === "@hourly" : namedNumbers(fields.at(-4)!, 23)?.length === 24;
}

/** What a field of hours stands for; undefined where it is nothing that croner would read either. */
function namedNumbers(field: string, max: number): readonly number[] | undefined {
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const match = /^(?:([*?])|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part);
    if (!match) return undefined;
    const [, any, first, last, step] = match;
    const from = any ? 0 : Number(first);
    const to = any ? max : Number(last ?? first);
    // `5/15` is refused by croner, in words of its own.
    if (from > to || to > max || step === "0" || step === "00" || (step && !any && last === undefined)) return undefined;
    for (let value = from; value <= to; value += Number(step ?? 1)) found.add(value);
  }
  return [...found].toSorted((a, b) => a - b);
}

/** What croner says, without its own name, and with the day or month that was written: it counts both from 0 there. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .replace(/^Cron\w*: (Syntax error, )?/, "")
    .replace(/^Invalid value for (day|month): (\d+)$/, (_, what: string, value: string) => `Invalid value for ${what}: ${Number(value) + 1}`);
}
