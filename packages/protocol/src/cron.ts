/** Names for whole expressions. */
export const CRON_NAMES = ["@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@yearly", "@annually"] as const;

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Of values from `min` on. */
  readonly names?: readonly string[];
  /** What stands for a value beside numbers: last days, nearest weekdays, the nth of a month. */
  readonly special?: RegExp;
}

const FIELDS: readonly Field[] = [
  { name: "second", min: 0, max: 59 },
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31, special: /^(L|(0?[1-9]|[12]\d|3[01])W)$/i },
  { name: "month", min: 1, max: 12, names: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"] },
  {
    name: "day of week",
    min: 0,
    max: 7,
    names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    special: /^([0-7]|SUN|MON|TUE|WED|THU|FRI|SAT)(L|#[1-5L])$/i,
  },
];

/** The last weekday of a month. */
const LAST_WEEKDAY = /^LW$/i;

const DAYS_OF_MONTH = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * What is wrong with a cron expression, as what follows "but"; undefined for a good one. It says what may be written: a
 * definition is checked by it where it is written, and again by the server, whose parser takes what this lets pass.
 */
export function describeCronProblem(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed.startsWith("@"))
    return (CRON_NAMES as readonly string[]).includes(trimmed.toLowerCase()) ? undefined : `it is none of the names ${CRON_NAMES.join(" ")}`;
  const parts = trimmed.split(/\s+/);
  if (parts.length !== 5 && parts.length !== 6) {
    const count = trimmed === "" ? 0 : parts.length;
    return `it has ${count} ${count === 1 ? "field" : "fields"}, but cron has 5 (minute, hour, day of month, month, day of week), or 6 with the second first`;
  }
  const fields = FIELDS.slice(6 - parts.length);
  for (const [i, part] of parts.entries()) {
    const problem = describeFieldProblem(fields[i]!, part);
    if (problem) return problem;
  }
  return describeNever(parts.slice(-3) as [string, string, string]);
}

function describeFieldProblem(field: Field, part: string): string | undefined {
  const say = (what: string): string => `its ${field.name} is ${JSON.stringify(part)}: ${what}`;
  const items = part.split(",");
  if (field.name === "day of month" && items.some((item) => LAST_WEEKDAY.test(item)))
    return items.length === 1 ? undefined : say("LW has to be alone in its field: make the other days a schedule of their own");
  for (const item of items) {
    const [range, step, ...more] = item.split("/");
    if (range === "") return say("a value is empty");
    if (more.length > 0) return say("a step is one number");
    const any = range === "*" || (range === "?" && field.name.startsWith("day"));
    const bounds = any ? [] : range!.split("-");
    if (step !== undefined) {
      if (!/^\d{1,2}$/.test(step) || Number(step) < 1 || Number(step) > field.max) return say(`${JSON.stringify(step)} is not a step: use 1 to ${field.max}`);
      if (bounds.length === 1 && valueOf(field, bounds[0]!) !== undefined)
        return say(`a step needs a range or *, such as */${step} or ${bounds[0]}-${field.max}/${step}`);
    }
    if (any || (step === undefined && field.special?.test(range!))) continue;
    const values = bounds.map((bound, i) => valueOf(field, bound, i > 0));
    const wrong = values.indexOf(undefined);
    if (wrong >= 0 || values.length > 2) return say(`${JSON.stringify(wrong >= 0 ? bounds[wrong] : range)} is not ${describeValues(field)}`);
    if (values.length === 2 && values[0]! > values[1]!)
      return say(`the range goes backwards: write it as two, ${bounds[0]}-${field.max},${field.min}-${bounds[1]}`);
  }
  return undefined;
}

/** Sunday is a week's first day and its last: `FRI-SUN` ends with it. */
function valueOf(field: Field, text: string, isEnd = false): number | undefined {
  const at = field.names?.indexOf(text.toUpperCase()) ?? -1;
  if (at >= 0) return isEnd && field.max === 7 && at === 0 ? 7 : field.min + at;
  const value = Number(text);
  return /^\d{1,2}$/.test(text) && value >= field.min && value <= field.max ? value : undefined;
}

const describeValues = ({ min, max, names }: Field): string => `one of ${min} to ${max}${names ? `, or ${names[0]} to ${names.at(-1)}` : ""}`;

/** Days that none of its months have, as the 30th of February: it would never run. Of fields that are right. */
function describeNever([days, months, weekday]: [string, string, string]): string | undefined {
  // Where both days are given, either will do.
  if (weekday !== "*" && weekday !== "?") return undefined;
  const longest = Math.max(...months.split(",").flatMap((item) => monthsOf(item).map((month) => DAYS_OF_MONTH[month - 1]!)));
  const first = Math.min(...days.split(",").map(firstDayOf));
  return first > longest ? `it never runs: no month of ${JSON.stringify(months)} has a day ${first}` : undefined;
}

function monthsOf(item: string): readonly number[] {
  const field = FIELDS[4]!;
  const [range, step = "1"] = item.split("/") as [string, string?];
  const [from, to = from] = range === "*" ? [field.min, field.max] : range.split("-").map((bound) => valueOf(field, bound)!);
  const found: number[] = [];
  for (let month = from!; month <= to!; month += Number(step)) found.push(month);
  return found;
}

/** The day that a month must have for this to be a day of it: `31W` is none where there is no 31st. */
const firstDayOf = (item: string): number => (/^\d/.test(item) ? Number.parseInt(item, 10) : 1);
