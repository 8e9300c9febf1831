import { expect, test } from "vitest";
import { mistakeOf } from "../testing/load-app.fixture.ts";

const inSchedule = (options: string, handler = "() => {}"): Promise<string> =>
  mistakeOf(`import { schedule } from "samovar"; export const s = schedule(${options}, ${handler});`);
const inQueue = (args: string): Promise<string> => mistakeOf(`import { taskQueue } from "samovar"; export const q = taskQueue(${args});`);

test("a schedule says when it runs, once", async () => {
  expect(await inSchedule("{}")).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: It says neither when nor every: give one of them, such as when: "0 9 * * MON-FRI" or every: "5m"
    Write:
      schedule({ when: "@daily" }, handler)"
  `);
  expect(await inSchedule('{ when: "@daily", every: 5 }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: when ("@daily") and every (5) contradict each other: give one of them
    Write:
      schedule({ when: "@daily" }, handler)"
  `);
  expect(await inSchedule('{ every: "1h", timezone: "UTC" }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: timezone ("UTC") and every ("1h") contradict each other: the time between ticks is the same in all zones. Leave it out, or say when
    Write:
      schedule({ every: "1h" }, handler)"
  `);
  expect(await inSchedule('{ when: "@every 5m" }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: when is "@every 5m", but a time from one tick to the next is every: "5m"
    Write:
      schedule({ every: "5m" }, handler)"
  `);
});

test("a wrong time is told with the field that is wrong", async () => {
  expect(await inSchedule('{ when: "0 25 * * *" }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: when is "0 25 * * *", but its hour is "25": "25" is not one of 0 to 23
    Write:
      schedule({ when: "0 9 * * MON-FRI" }, handler)"
  `);
  for (const [when, problem] of [
    ["0 0 LW,15 * *", 'when is "0 0 LW,15 * *", but its day of month is "LW,15": LW has to be alone in its field'],
    ["0 0 31W 4 *", 'when is "0 0 31W 4 *", but it never runs: no month of "4" has a day 31'],
  ] as const)
    expect(await inSchedule(JSON.stringify({ when }))).toContain(problem);
  expect(await inSchedule('{ when: "@dayly", timezone: "Europe/Berlim", overlap: "skipp", catchUp: 1 }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site> has 4 mistakes:
      - when is "@dayly", but there is no such name: did you mean "@daily"?
      - timezone is "Europe/Berlim", which is no time zone: did you mean "Europe/Berlin"?
      - overlap is "skipp", but it takes "skip", "queue", "allow": did you mean "skip"?
      - catchUp is 1, but it takes "none", "last", "all", true or false
    Write:
      schedule({ when: "@daily", timezone: "Europe/Berlin", overlap: "skip", catchUp: "none" }, handler)"
  `);
  expect(await inSchedule('{ every: "10ms" }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: every is "10ms", but it takes 1 s to 365 d
    Write:
      schedule({ every: "1s" }, handler)"
  `);
  expect(await inSchedule('{ when: 5, timezone: "" }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site> has 2 mistakes:
      - when is 5, but it takes cron such as "0 9 * * MON-FRI", or a name such as "@daily"
      - timezone is "", but it takes an IANA name such as "Europe/Berlin" or "UTC"
    Write:
      schedule({ when: "@daily", timezone: "UTC" }, handler)"
  `);
});

test("a schedule has no input, and other kinds have no times", async () => {
  expect(await inSchedule('{ when: "@daily", input: {}, batch: {}, wen: 1 }')).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site> has 3 mistakes:
      - Unknown option "input": a schedule is called by time and has no input
      - Unknown option "batch": a schedule is called by time and has no inputs to gather
      - Unknown option "wen": did you mean "when"?
    Write:
      schedule({ when: "@daily" }, handler)"
  `);
  expect(await inQueue('{ when: "@daily" }, () => 1')).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site>: Unknown option "when": it belongs to schedule({ when }, handler)
    Write:
      taskQueue({}, handler)"
  `);
  expect(await mistakeOf('import { App } from "samovar"; new App("a", { timezone: "UTC" });')).toMatchInlineSnapshot(`
    "invalid_option: new App at <site>: Unknown option "timezone": it belongs to a function, not to the app
    Write:
      new App("a")"
  `);
});

test("what is kept until somebody asks is no stream", async () => {
  expect(await inQueue("{}, async function* () {}")).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site>: The handler is a generator, but what a task queue gives is one result, not a stream
    Write:
      taskQueue({ … }, async (input, ctx) => { … return result; })"
  `);
  expect(await inSchedule('{ every: "1m" }', "function* () {}")).toMatchInlineSnapshot(`
    "invalid_option: schedule at <site>: The handler is a generator, but what a schedule gives is one result, not a stream
    Write:
      schedule({ … }, async (ctx) => { … return result; })"
  `);
  expect(await inSchedule('{ every: "1m" }', "undefined")).toMatchInlineSnapshot(`
    "invalid_definition: schedule at <site>: The handler is undefined, but it takes a function
    Write:
      schedule({ every: "1m" }, async (ctx) => { … })"
  `);
  expect(await inQueue("5")).toMatchInlineSnapshot(`
    "invalid_definition: taskQueue at <site>: The first argument is 5, but it takes the options
    Write:
      taskQueue({}, handler)"
  `);
});

test("options of tasks are checked like the others", async () => {
  expect(await inQueue('{ ttl: 0, keepResults: "1s", maxPendingTasks: 0, taskPolicy: { ttl: "9000h", tll: 1 }, retrys: 2 }, () => 1')).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site> has 6 mistakes:
      - Unknown option "retrys": did you mean "retries"?
      - ttl is 0, but it takes 1 s to 365 d, or -1 for never
      - taskPolicy.ttl is "9000h", but it takes 1 s to 365 d, or -1 for never
      - Unknown option "taskPolicy.tll": did you mean "ttl"?
      - maxPendingTasks is 0, but it takes a whole number, 1 or more
      - keepResults is "1s", but it takes 60 s to 365 d
    Write:
      taskQueue({ ttl: "1s", keepResults: "60s", maxPendingTasks: 1, taskPolicy: { ttl: "365d" }, retries: 2 }, handler)"
  `);
  expect(await inQueue('{ callbackUrl: "https://me:secret@example.com/done" }, () => 1')).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site>: callbackUrl has a user or password in it: leave them out, what is posted is signed (verifyCallback checks it)
    Write:
      taskQueue({ callbackUrl: "https://example.com/done" }, handler)"
  `);
  expect(await inQueue('{ callbackUrl: "ftp://example.com" }, () => 1')).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site>: callbackUrl is "ftp://example.com", but it takes an http or https URL, such as "https://example.com/hooks/samovar"
    Write:
      taskQueue({}, handler)"
  `);
  expect(await inQueue('{ callbackUrl: "https://example.com/#a" }, () => 1')).toMatchInlineSnapshot(`
    "invalid_option: taskQueue at <site>: callbackUrl has a fragment, which is never sent: leave it out
    Write:
      taskQueue({ callbackUrl: "https://example.com/" }, handler)"
  `);
});
