import { describeCronProblem, show } from "@samovar/protocol";
import { Cron } from "croner";
import { stretchAt, type Stretch } from "./wall-clock.ts";

/** Where searching for the first run begins, to find out whether there is any: whatever runs at all runs after it. */
const LONG_AGO = new Date("2000-01-01T00:00:00Z");

/** Why nothing can run by this, in the words of the SDK; undefined if it can. */
export function describeWhenProblem(cron: string): string | undefined {
  const problem = describeCronProblem(cron) ?? describeParserProblem(cron);
  return problem === undefined ? undefined : `when is ${show(cron)}, but ${problem}`;
}

/** What croner has against a text that may be written: nothing, as a test shows. It has the last word all the same, as it reads it. */
function describeParserProblem(cron: string): string | undefined {
  try {
    return parseCron(cron).nextRun(LONG_AGO) ? undefined : "it never runs";
  } catch (error) {
    return `it can't be read: ${(error as Error).message}`;
  }
}

/** Why this is no timezone; undefined if it is one. */
export function describeTimezoneProblem(timezone: string): string | undefined {
  try {
    Intl.DateTimeFormat("en", { timeZone: timezone });
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

/**
 * Finds runs by two rules, of which croner has neither for all that can be written: where every hour is meant, by real
 * time, whenever the clock on the wall shows it; where hours are named, each of their times once: at the first of two,
 * and when the gap is over where there is none. So croner only finds times as if no clock were ever set forward or back.
 *
 * Between two such changes a time and its moment are a fixed offset apart. By the first rule, such a stretch has the
 * times that the clock shows in it; by the second those from what the clock showed before the change: then the times of
 * a gap are its first ones, and those that come for the second time are not among them.
 *
 * Throws for what `describeWhenProblem` and `describeTimezoneProblem` describe.
 */
export function createRuns(text: string, timezone: string): Runs {
  const cron = parseCron(text);
  const everyHour = isEveryHour(text);
  const firstWallMs = ({ fromMs, offsetMs, offsetBeforeMs }: Stretch): number => fromMs + (everyHour ? offsetMs : offsetBeforeMs);
  return {
    next(afterMs) {
      let stretch = stretchAt(afterMs, timezone);
      for (let fromWallMs = Math.max(afterMs + stretch.offsetMs, firstWallMs(stretch) - 1); ; fromWallMs = firstWallMs(stretch) - 1) {
        const wall = cron.nextRun(new Date(fromWallMs));
        if (!wall) return null;
        if (wall.getTime() < stretch.untilMs + stretch.offsetMs) return Math.max(stretch.fromMs, wall.getTime() - stretch.offsetMs);
        stretch = stretchAt(stretch.untilMs, timezone);
      }
    },
    previous(untilMs, count) {
      const found: number[] = [];
      for (let endMs = untilMs; found.length < count && endMs > -Infinity;) {
        const stretch = stretchAt(endMs, timezone);
        const firstMs = firstWallMs(stretch);
        const walls = cron.previousRuns(count, new Date(nextSecond(endMs + stretch.offsetMs)));
        for (const wall of walls) {
          const atMs = Math.max(stretch.fromMs, wall.getTime() - stretch.offsetMs);
          if (wall.getTime() >= firstMs && atMs !== found.at(-1)) found.push(atMs);
        }
        // The times of a gap may have been more than were asked for, but no more than one run.
        endMs = walls.length === count && walls.at(-1)!.getTime() >= firstMs ? found.at(-1)! - 1 : stretch.fromMs - 1;
      }
      return found.slice(0, count);
    },
  };
}

function parseCron(text: string): Cron {
  return new Cron(text.trim(), { utcOffset: 0, paused: true, mode: "5-or-6-parts" });
}

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
