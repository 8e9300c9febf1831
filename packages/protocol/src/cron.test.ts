import { expect, test } from "vitest";
import { CRON_NAMES, describeCronProblem } from "./cron.ts";

const GOOD = [
  "* * * * *",
  "*/5 * * * *",
  "0 9 * * MON-FRI",
  "30 0 9 * * mon-fri",
  "0 0 1,15 * *",
  "1-5/2 0-23 * JAN-MAR,NOV 0-7",
  "01 09 * * 5-7/2",
  "0 0 L * *",
  "0 0 LW 2 *",
  "0 0 15W * *",
  "0 0 * * 5L",
  "0 0 * * MON#2,fri#L",
  "0 0 ? * MON",
  "0 0 29 2 *",
  "0 0 30 2 MON",
  "0 0 ? * FRI-SUN",
  "0 0 L,15W * *",
  "0 0 31W 4,5 *",
  "0 0 31W 4 1",
  "0 0 1,31W 4 *",
  "0 0 L 2 *",
  "0 0 28-31 2 *",
  "0\t0  31 1,4 *",
  "@Hourly",
  ...CRON_NAMES,
];

const BAD: readonly (readonly [text: string, problem: string])[] = [
  ["", "it has 0 fields, but cron has 5 (minute, hour, day of month, month, day of week), or 6 with the second first"],
  ["* * * *", "it has 4 fields"],
  ["60 * * * *", 'its minute is "60": "60" is not one of 0 to 59'],
  ["60 * * * * *", 'its second is "60"'],
  ["0 25 * * *", 'its hour is "25": "25" is not one of 0 to 23'],
  ["0 0 0 * *", 'its day of month is "0": "0" is not one of 1 to 31'],
  ["0 0 * 13 *", 'its month is "13": "13" is not one of 1 to 12, or JAN to DEC'],
  ["0 0 * January *", '"January" is not one of 1 to 12, or JAN to DEC'],
  ["0 0 * * 8", 'its day of week is "8": "8" is not one of 0 to 7, or SUN to SAT'],
  ["0 0 * * MON#6", '"MON#6" is not'],
  ["MON * * * *", '"MON" is not one of 0 to 59'],
  ["1.5 * * * *", '"1.5" is not'],
  ["-1 * * * *", '"" is not'],
  ["1-2-3 * * * *", '"1-2-3" is not'],
  ["1,,2 * * * *", 'its minute is "1,,2": a value is empty'],
  ["*/0 * * * *", 'its minute is "*/0": "0" is not a step: use 1 to 59'],
  ["*/70 * * * *", '"70" is not a step: use 1 to 59'],
  ["*/5/2 * * * *", "a step is one number"],
  ["5/15 * * * *", "a step needs a range or *, such as */15 or 5-59/15"],
  ["0 22-2 * * *", "the range goes backwards: write it as two, 22-23,0-2"],
  ["0 0 30 2 *", 'it never runs: no month of "2" has a day 30'],
  ["0 0 31 APR,6 *", 'it never runs: no month of "APR,6" has a day 31'],
  ["0 0 31W 4 *", 'it never runs: no month of "4" has a day 31'],
  ["0 0 30W,31 FEB *", 'it never runs: no month of "FEB" has a day 30'],
  ["0 0 30-31 2 ?", 'it never runs: no month of "2" has a day 30'],
  ["0 0 31 4-6/2,9 *", 'it never runs: no month of "4-6/2,9" has a day 31'],
  ["0 0 LW,15 * *", 'its day of month is "LW,15": LW has to be alone in its field'],
  ["0 0 L,lw * *", 'its day of month is "L,lw": LW has to be alone in its field'],
  ["0 0 LW/2 * *", '"LW" is not one of 1 to 31'],
  ["0 0 * * SAT-MON", "the range goes backwards: write it as two, SAT-7,0-MON"],
  ["@reboot", "it is none of the names @hourly @daily"],
];

test.each(GOOD)("%s is right", (text) => {
  expect(describeCronProblem(text)).toBeUndefined();
});

test.each(BAD)("%s is wrong, and it is said how", (text, problem) => {
  expect(describeCronProblem(text)).toContain(problem);
});
