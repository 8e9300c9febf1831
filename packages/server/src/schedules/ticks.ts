import type { ScheduleManifest } from "@samovar/protocol";
import { createRuns, type Runs } from "./cron.ts";

/** The moments at which one schedule ticks: all whole milliseconds since the epoch, growing. */
export interface Ticks {
  /** Up to `count` of them after a moment, the earliest first; fewer where there are no more. */
  after(afterMs: number, count: number): readonly number[];
  /** Up to `count` of those after a moment and until another, itself included: the newest, in order. */
  newest(afterMs: number, untilMs: number, count: number): readonly number[];
}

/** What ticks depend on. Those of equal text are equal. */
export function ticksText({ cron, everyMs, timezone }: ScheduleManifest): string {
  return JSON.stringify([cron, everyMs, timezone]);
}

/** Of what `describeScheduleProblem` describes, finding them throws. `ownTimezone` is for a cron without one. */
export function createTicks(schedule: ScheduleManifest, ownTimezone: string): Ticks {
  const { cron, everyMs, timezone } = schedule;
  return everyMs === null ? new CronTicks(cron ?? "", timezone ?? ownTimezone) : everyTicks(everyMs);
}

function everyTicks(everyMs: number): Ticks {
  return {
    after(afterMs, count) {
      const first = (Math.floor(afterMs / everyMs) + 1) * everyMs;
      return Array.from({ length: count }, (_, at) => first + at * everyMs);
    },
    newest(afterMs, untilMs, count) {
      const last = Math.floor(untilMs / everyMs);
      const first = Math.max(Math.floor(afterMs / everyMs) + 1, last - count + 1);
      return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => (first + at) * everyMs);
    },
  };
}

/** How many are remembered: the five that are shown, and some that have passed, since others may ask a moment later. */
const REMEMBERED = 16;

/** Finding a run takes croner about a tenth of a millisecond: what was found is remembered, for all who tick by the same text. */
class CronTicks implements Ticks {
  readonly #cron: string;
  readonly #timezone: string;
  #found: Runs | undefined;
  /** Every tick after this, up to the last of those that are remembered. */
  #fromMs = Infinity;
  #known: number[] = [];
  /** None comes after those. */
  #complete = false;

  constructor(cron: string, timezone: string) {
    this.#cron = cron;
    this.#timezone = timezone;
  }

  /** Made when they are first asked for: who sets thousands of schedules doesn't wait for that. */
  get #runs(): Runs {
    return (this.#found ??= createRuns(this.#cron, this.#timezone));
  }

  after(afterMs: number, count: number): readonly number[] {
    if (afterMs < this.#fromMs || (!this.#complete && afterMs >= (this.#known.at(-1) ?? this.#fromMs))) this.#forget(afterMs);
    let at = this.#known.findIndex((tickMs) => tickMs > afterMs);
    if (at === -1) at = this.#known.length;
    while (!this.#complete && this.#known.length < at + count) {
      const next = this.#runs.next(this.#known.at(-1) ?? this.#fromMs);
      if (next === null) this.#complete = true;
      else this.#known.push(next);
    }
    const found = this.#known.slice(at, at + count);
    const tooMany = Math.min(this.#known.length - REMEMBERED, at);
    if (tooMany > 0) this.#fromMs = this.#known.splice(0, tooMany).at(-1)!;
    return found;
  }

  newest(afterMs: number, untilMs: number, count: number): readonly number[] {
    const isDue = (tickMs: number): boolean => tickMs > afterMs && tickMs <= untilMs;
    // Mostly there are none, or few.
    const soon = this.after(afterMs, 2).filter(isDue);
    if (soon.length < 2) return soon;
    // Backwards costs as much for each, forwards only for those that there are.
    const all = count > 2 ? this.#upTo(afterMs, untilMs, count) : undefined;
    return all ?? this.#runs.previous(untilMs, count).filter(isDue).toReversed();
  }

  /** All of them, unless they are more than that many. */
  #upTo(afterMs: number, untilMs: number, count: number): readonly number[] | undefined {
    const found: number[] = [];
    for (let next = this.#runs.next(afterMs); next !== null && next <= untilMs; next = this.#runs.next(next)) {
      if (found.push(next) > count) return undefined;
    }
    return found;
  }

  #forget(fromMs: number): void {
    this.#fromMs = fromMs;
    this.#known = [];
    this.#complete = false;
  }
}
