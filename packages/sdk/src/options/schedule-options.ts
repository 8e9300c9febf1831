import { CRON_NAMES, describeCronProblem, show, type Duration, type ScheduleManifest } from "@samovar/protocol";
import type { Mistake, RawOptions } from "./mistakes.ts";
import { findNearest } from "./nearest.ts";
import type { Draft, OptionReader } from "./option-table.ts";
import { durationIn, SECOND_MS, WrongValue, YEAR_MS } from "./parse-values.ts";

interface ScheduleCommon {
  /**
   * At a tick while the task of an earlier one isn't over: no task (`"skip"`), one that waits for it (`"queue"`), or one
   * beside it (`"allow"`). Default `"skip"`.
   */
  readonly overlap?: "skip" | "queue" | "allow";
  /**
   * Ticks that passed while no server was there: none is made up for, one task stands for all of them, or each has its own
   * (the newest 100). `true` is `"last"`, `false` is `"none"`. Default `"last"`.
   */
  readonly catchUp?: "none" | "last" | "all" | boolean;
}

/** When a schedule runs: by `when` or by `every`. */
export type ScheduleTimes = ScheduleCommon &
  (
    | {
        /**
         * Cron: minute, hour, day of month, month, day of week, with seconds first if there are six; or `@hourly`, `@daily`,
         * `@midnight`, `@weekly`, `@monthly`, `@yearly`, `@annually`. Where both days are given, either will do.
         */
        readonly when: string;
        readonly every?: never;
        /** An IANA name such as `"Europe/Berlin"`, for `when`. Default: the server's own. */
        readonly timezone?: string;
      }
    | {
        /** From one tick to the next, 1 s to a year; counted from 1970, so that a restart of the server doesn't move them. */
        readonly every: Duration;
        readonly when?: never;
        readonly timezone?: never;
      }
  );

type ScheduleDraft = { -readonly [K in keyof ScheduleManifest]?: ScheduleManifest[K] };

const CATCH_UP = ["none", "last", "all"] as const;
const OVERLAP = ["skip", "queue", "allow"] as const;

/** A time between ticks where cron belongs: `5m`, or as people know it from elsewhere, `@every 5m`. `checkTimes` tells it. */
const EVERY = /^(?:@?every\s+)?(\d+(?:\.\d+)?(?:ms|s|m|h|d))$/;

const into = (draft: Draft): ScheduleDraft => (draft.schedule ??= {});

export const SCHEDULE_OPTIONS: Readonly<Record<string, OptionReader>> = {
  when: (value, draft, name) => (into(draft).cron = readWhen(value, name)),
  every: (value, draft, name) => (into(draft).everyMs = durationIn(value, name, { minMs: SECOND_MS, maxMs: YEAR_MS })!),
  timezone: (value, draft, name) => (into(draft).timezone = readTimezone(value, name)),
  overlap: (value, draft, name) => (into(draft).overlap = oneOf(value, name, OVERLAP)),
  catchUp: (value, draft, name) => (into(draft).catchUp = value === true ? "last" : value === false ? "none" : oneOf(value, name, CATCH_UP, ", true or false")),
};

/** Other kinds have none of them. */
export const SCHEDULE_ONLY: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(SCHEDULE_OPTIONS).map((key) => [key, `Unknown option "${key}": it belongs to schedule({ ${key} }, handler)`]),
);

/** Of a schedule: when it runs is said once. */
export function checkTimes(raw: RawOptions): Mistake[] {
  const { when, every, timezone } = raw;
  const meant = typeof when === "string" ? EVERY.exec(when.trim())?.[1] : undefined;
  if (meant !== undefined && every === undefined) {
    const mend = (options: Record<string, unknown>): void => {
      delete options.when;
      delete options.timezone;
      options.every = meant;
    };
    return [{ message: `when is ${show(when)}, but a time from one tick to the next is every: "${meant}"`, mend }];
  }
  if (when === undefined && every === undefined)
    return [
      {
        message: `It says neither when nor every: give one of them, such as when: "0 9 * * MON-FRI" or every: "5m"`,
        mend: (options) => (options.when = "@daily"),
      },
    ];
  if (when !== undefined && every !== undefined)
    return [
      { message: `when (${show(when)}) and every (${show(every)}) contradict each other: give one of them`, mend: (options) => void delete options.every },
    ];
  if (every !== undefined && timezone !== undefined)
    return [
      {
        message: `timezone (${show(timezone)}) and every (${show(every)}) contradict each other: the time between ticks is the same in all zones. Leave it out, or say when`,
        mend: (options) => void delete options.timezone,
      },
    ];
  return [];
}

export function completeSchedule({ schedule = {} }: Draft): ScheduleManifest {
  const { cron = null, everyMs = null, timezone = null, overlap = "skip", catchUp = "last" } = schedule;
  return { cron, everyMs, timezone, overlap, catchUp };
}

function readWhen(value: unknown, name: string): string {
  if (typeof value !== "string")
    throw new WrongValue(`${name} is ${show(value)}, but it takes cron such as "0 9 * * MON-FRI", or a name such as "@daily"`, "@daily");
  const text = value.trim();
  if (EVERY.test(text)) return text;
  const problem = describeCronProblem(text);
  if (problem === undefined) return text;
  const near = text.startsWith("@") ? findNearest(text, CRON_NAMES) : undefined;
  throw new WrongValue(`${name} is ${show(value)}, but ${near ? `there is no such name: did you mean "${near}"?` : problem}`, near ?? "0 9 * * MON-FRI");
}

function readTimezone(value: unknown, name: string): string {
  try {
    if (typeof value === "string" && value !== "") {
      // Throws for what is none.
      Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions();
      return value;
    }
  } catch {
    const near = findNearest(value as string, Intl.supportedValuesOf("timeZone"));
    throw new WrongValue(
      `${name} is ${show(value)}, which is no time zone${near ? `: did you mean "${near}"?` : ', but it takes an IANA name such as "Europe/Berlin" or "UTC"'}`,
      near ?? "UTC",
    );
  }
  throw new WrongValue(`${name} is ${show(value)}, but it takes an IANA name such as "Europe/Berlin" or "UTC"`, "UTC");
}

function oneOf<T extends string>(value: unknown, name: string, words: readonly T[], more = ""): T {
  if ((words as readonly unknown[]).includes(value)) return value as T;
  const near = typeof value === "string" ? findNearest(value, words) : undefined;
  throw new WrongValue(
    `${name} is ${show(value)}, but it takes ${words.map((word) => `"${word}"`).join(", ")}${more}${near ? `: did you mean "${near}"?` : ""}`,
    near ?? words[0],
  );
}
