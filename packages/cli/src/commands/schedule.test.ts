import { afterEach, expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { deploymentDetail, functionInfo, startControlServer, TOKEN, type ControlServer, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { callbackInfo, scheduleInfo, taskDetail } from "../task-server.fixture.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = Date.UTC(2026, 10, 22, 12);
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

async function setUp(data: ControlServerData = {}): Promise<{ io: TestIo; server: ControlServer }> {
  const server = await startControlServer(data);
  const io = createTestIo({ clock: new FakeClock(NOW_MS), env: { SAMOVAR_URL: server.url, SAMOVAR_TOKEN: TOKEN, NO_COLOR: "1" } });
  cleanUps.push(() => server.dispose(), io.remove);
  return { io, server };
}

/** What depends on where the test runs. */
const placeless = (text: string): string => text.replaceAll(`(${HERE})`, "(HERE)").replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "YYYY-MM-DD hh:mm:ss");

const SCHEDULES = [
  scheduleInfo({ nextRunsAtMs: [NOW_MS + HOUR_MS, NOW_MS + 25 * HOUR_MS], lastTickAtMs: NOW_MS - HOUR_MS, lastTaskId: "tk_1", timezone: "Pacific/Kiritimati" }),
  scheduleInfo({ name: "refresh", when: "every 5m", timezone: null, state: "paused", lastTickAtMs: NOW_MS - 60_000 }),
  scheduleInfo({ name: "new" }),
];

test("list shows the next and the last run of each, and what became of that", async () => {
  const { io } = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "list"], io)).toBe(0);
  expect(placeless(io.out())).toMatchInlineSnapshot(`
    "NAME     APP     WHEN       TIMEZONE            STATE   NEXT RUN                      LAST RUN                         TASK
    report   models  0 9 * * *  Pacific/Kiritimati  active  YYYY-MM-DD hh:mm:ss (in 1 h)  YYYY-MM-DD hh:mm:ss (1 h ago)    tk_1
    refresh  models  every 5m   -                   paused  -                             YYYY-MM-DD hh:mm:ss (1 min ago)  skipped
    new      models  0 9 * * *  Europe/Berlin       active  -                             -                                -
    "
  `);
  const json = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "list", "--json"], json.io)).toBe(0);
  expect(JSON.parse(json.io.out())).toEqual({ schedules: SCHEDULES });
});

test("list with no schedules says how to get one", async () => {
  const { io } = await setUp();
  expect(await runCli(["schedule", "list"], io)).toBe(0);
  expect([io.out(), io.err()]).toEqual(["", expect.stringContaining("samovar deploy FILE")]);
});

test("inspect shows the rules in words, and the next runs here and in the schedule's own timezone", async () => {
  const { io } = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "inspect", "report"], io)).toBe(0);
  expect(io.out()).toContain("  2026-11-23 03:00:00  in 1 h\n");
  // How wide a column is depends on the name of the place.
  expect(placeless(io.out()).replace(/(\S) {2,}/g, "$1  ")).toMatchInlineSnapshot(`
    "report  active
    function  schedule, app models fn_9
    when  0 9 * * *, Pacific/Kiritimati
    overlap  skip: a run is skipped while an earlier one isn't over
    catch-up  last: one run makes up for those missed while no server was there
    last run  YYYY-MM-DD hh:mm:ss (1 h ago), tk_1

    NEXT RUNS (HERE)  Pacific/Kiritimati
    YYYY-MM-DD hh:mm:ss  YYYY-MM-DD hh:mm:ss  in 1 h
    YYYY-MM-DD hh:mm:ss  YYYY-MM-DD hh:mm:ss  in 1 d
    "
  `);
});

test("inspect of one that is paused says how to go on", async () => {
  const { io } = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "inspect", "refresh"], io)).toBe(0);
  expect(io.out()).toContain("when      every 5m, in the server's own timezone\n");
  expect(io.out()).toContain("No runs come: `samovar schedule resume refresh`");
});

test("run prints the task's id; with --wait its result", async () => {
  const { io, server } = await setUp({ schedules: SCHEDULES, tasks: [taskDetail()] });
  expect(await runCli(["schedule", "run", "report"], io)).toBe(0);
  expect(await runCli(["schedule", "run", "report", "--json"], io)).toBe(0);
  expect(await runCli(["schedule", "run", "report", "--wait", "1m"], io)).toBe(0);
  expect(io.out()).toBe('tk_1\n{"taskId":"tk_1"}\n{"words":12}\n');
  expect(server.requests.slice(-3)).toEqual([
    "POST /api/v1/schedules/report/run",
    "GET /api/v1/tasks/tk_1?wait=50000ms",
    "GET /api/v1/tasks/tk_1/result?wait=50000ms",
  ]);
});

test("pause and resume say what holds now", async () => {
  const { io, server } = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "pause", "report"], io)).toBe(0);
  expect(await runCli(["schedule", "resume", "report"], io)).toBe(0);
  expect(server.requests).toEqual(["POST /api/v1/schedules/report/pause", "POST /api/v1/schedules/report/resume"]);
  expect(placeless(io.out())).toBe(
    "report is paused: it doesn't run at its times until `samovar schedule resume report`\n" +
      "report runs at its times again, next at YYYY-MM-DD hh:mm:ss (in 1 h)\n",
  );
});

test("a name that is none is told as the server tells it", async () => {
  const { io } = await setUp({ schedules: SCHEDULES });
  expect(await runCli(["schedule", "run", "reprot"], io)).toBe(1);
  expect(io.err()).toContain('No schedule is named "reprot". Did you mean report?');
});

const CALLBACKS = [
  callbackInfo({ createdAtMs: NOW_MS - HOUR_MS }),
  callbackInfo({ id: "cb_2", state: "failed", attempts: 8, createdAtMs: NOW_MS - HOUR_MS, lastError: "503" }),
];

test("callback list shows what arrived, and why others did not", async () => {
  const { io } = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "list"], io)).toBe(0);
  expect(io.out()).toMatchInlineSnapshot(`
    "ID    TASK  FUNCTION    STATE      ATTEMPTS  AGE  NEXT  URL
    cb_1  tk_1  transcribe  delivered         1  1 h  -     https://example.com/done
    cb_2  tk_1  transcribe  failed            8  1 h  -     https://example.com/done
      └ 503
    "
  `);
});

test("callback list --failed asks for those alone", async () => {
  const { io, server } = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "list", "--failed", "--app", "models", "--json"], io)).toBe(0);
  expect(server.requests).toEqual(["GET /api/v1/callbacks?state=failed&app=models&limit=50"]);
  expect(JSON.parse(io.out())).toEqual({ callbacks: [CALLBACKS[1]] });
});

test("callback list takes as many pages as the limit needs", async () => {
  const { io, server } = await setUp({ callbacks: Array.from({ length: 1_250 }, (_, i) => callbackInfo({ id: `cb_${i}` })) });
  expect(await runCli(["callback", "list", "--limit", "1500"], io)).toBe(0);
  expect(server.requests.map((request) => request.split("?")[1])).toEqual(["limit=1000", "limit=500&cursor=1000"]);
  expect(io.out().trimEnd().split("\n")).toHaveLength(1_251);
  expect(io.err()).toBe("");
});

test("callback list says where there are more", async () => {
  const { io } = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "list", "--limit", "1"], io)).toBe(0);
  expect(io.out()).not.toContain("cb_2");
  expect(io.err()).toBe("There are more: --limit 2 shows some of them\n");
});

test("callback retry --failed sends all that failed; it asks at a terminal", async () => {
  const all = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "retry", "--failed", "--app", "models", "--yes"], all.io)).toBe(0);
  expect(all.io.out()).toBe("1 callback is sent once more\n");
  expect(all.server.requests).toEqual(["POST /api/v1/callbacks/retry"]);

  const { io, server } = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "retry", "--failed"], io)).toBe(1);
  expect(io.err()).toMatch(/Nobody can be asked.*\n.*Add --yes/);
  expect(await runCli(["callback", "retry"], io)).toBe(1);
  expect(await runCli(["callback", "retry", "cb_2", "--failed"], io)).toBe(1);
  expect(server.requests).toEqual([]);
});

test("callback retry says where it goes", async () => {
  const { io, server } = await setUp({ callbacks: CALLBACKS });
  expect(await runCli(["callback", "retry", "cb_2"], io)).toBe(0);
  expect(io.out()).toBe("cb_2 is sent once more to https://example.com/done\n");
  expect(server.requests).toEqual(["POST /api/v1/callbacks/cb_2/retry"]);
});

test("callback secret prints the secret alone; the app may be left out where there is one", async () => {
  const { io } = await setUp({ deployments: [deploymentDetail(), deploymentDetail({ name: "other" })], functions: [functionInfo({ app: "site" })] });
  expect(await runCli(["callback", "secret"], io)).toBe(0);
  expect(await runCli(["callback", "secret", "--app", "site"], io)).toBe(0);
  expect([io.out(), io.err()]).toEqual(["whsec_models\nwhsec_site\n", ""]);
  const two = await setUp({ deployments: [deploymentDetail(), deploymentDetail({ name: "other", app: "site" })] });
  expect(await runCli(["callback", "secret"], two.io)).toBe(1);
  expect(two.io.err()).toContain("several are deployed\n  → Name one: --app models, --app site");
});

test("callback secret of an app that isn't there is told with a note: a receiver may come before the first deploy", async () => {
  const { io } = await setUp({ functions: [functionInfo({ app: "probe" })] });
  expect(await runCli(["callback", "secret", "--app", "prob"], io)).toBe(0);
  expect(io.out()).toBe("whsec_prob\n");
  expect(io.err()).toMatch(/^No app prob is deployed or served here.* Did you mean "probe"\?\n$/);
});
