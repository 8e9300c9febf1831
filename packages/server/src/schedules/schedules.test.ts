import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { clockTime, HOUR_MS, MINUTE_MS, NOON_MS, SECOND_MS, TestServers } from "./schedules.fixture.ts";
import type { ScheduledFunction } from "./scheduled-function.ts";

let servers: TestServers;

beforeEach(() => void (servers = new TestServers()));

afterEach(() => servers.end());

describe("ticks", () => {
  test("each gets one task when it comes, not before", async () => {
    servers.set({});
    await servers.pass(MINUTE_MS - 2);
    expect(servers.ticks()).toEqual([]);
    await servers.pass(1);
    expect(servers.ticks()).toEqual(["12:01"]);
    await servers.pass(3 * MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:02", "12:03", "12:04"]);
    expect(servers.tasks.every(({ serialized }) => !serialized)).toBe(true);
  });

  test("many schedules have one timer, and go by their own times", async () => {
    for (let at = 1; at <= 50; at++) servers.set({ everyMs: at * MINUTE_MS }, { name: `every-${at}` });
    expect(servers.clock.pending).toBe(1);
    await servers.pass(10 * MINUTE_MS);
    for (let at = 1; at <= 50; at++) {
      const expected = Array.from({ length: 10 }, (_, minute) => NOON_MS + (minute + 1) * MINUTE_MS).filter((atMs) => atMs % (at * MINUTE_MS) === 0);
      expect(servers.ticks(`every-${at}`)).toEqual(expected.map(clockTime));
    }
    expect(servers.clock.pending).toBe(1);
  });

  test("a tick that is years away is waited for", async () => {
    servers.set({ cron: "0 0 29 2 *" });
    const [next] = servers.schedules.get("report").nextRunsAtMs;
    expect(new Date(next!).toISOString()).toBe("2028-02-29T00:00:00.000Z");
    await servers.settled();
    servers.clock.setBy(next! - servers.clock.now() - 2);
    await servers.pass(20 * SECOND_MS);
    expect(servers.tasks.map(({ tickAtMs }) => tickAtMs)).toEqual([next]);
  });

  test("a name is one whatever its case, and an unknown one is told with what is near", async () => {
    servers.set({});
    expect(servers.schedules.get("REPORT").name).toBe("Report");
    expect(() => servers.schedules.get("reprot")).toThrow('There is no schedule reprot. Did you mean "Report"?');
    await expect(servers.schedules.run("other")).rejects.toMatchObject({ code: "not_found" });
  });

  test("a schedule that can't be read any more is listed, and ends none of the others", async () => {
    servers.set({ cron: "* * * *" }, { name: "broken" });
    servers.set({});
    await servers.pass(MINUTE_MS);
    expect(servers.schedules.list()).toMatchObject([{ name: "broken", state: "active", nextRunsAtMs: [] }, { name: "Report" }]);
    expect(servers.ticks()).toEqual(["12:01"]);
  });
});

describe("what is told", () => {
  test("the next five runs, the last tick, and all that its author wrote", async () => {
    servers.set({ cron: "0 9 * * *", timezone: "Europe/Berlin", overlap: "queue", catchUp: "all" });
    expect(servers.schedules.get("report")).toEqual({
      name: "Report",
      app: "office",
      id: "fn_1",
      when: "0 9 * * *",
      timezone: "Europe/Berlin",
      overlap: "queue",
      catchUp: "all",
      state: "active",
      nextRunsAtMs: [2, 3, 4, 5, 6].map((day) => Date.parse(`2026-05-0${day}T07:00:00Z`)),
      lastTickAtMs: null,
      lastTaskId: null,
    });
    await servers.pass(24 * HOUR_MS);
    expect(servers.schedules.get("report")).toMatchObject({
      nextRunsAtMs: [3, 4, 5, 6, 7].map((day) => Date.parse(`2026-05-0${day}T07:00:00Z`)),
      lastTickAtMs: Date.parse("2026-05-02T07:00:00Z"),
      lastTaskId: "ta_1",
    });
  });
});

describe("overlap", () => {
  test("skip: no task while the last one isn't over, also when ticks were skipped since", async () => {
    servers.set({ overlap: "skip" });
    await servers.pass(MINUTE_MS);
    servers.running.add("ta_1");
    await servers.pass(2 * MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01"]);
    expect(servers.schedules.get("report")).toMatchObject({ lastTickAtMs: NOON_MS + 3 * MINUTE_MS, lastTaskId: null });
    expect(servers.logged.filter((line) => line.startsWith("A tick is skipped"))).toHaveLength(2);
    servers.running.clear();
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:04"]);
  });

  test("queue: each tick has its task, one after another; allow: beside one another", async () => {
    servers.set({ overlap: "queue" }, { name: "queued" });
    servers.set({ overlap: "allow" }, { name: "allowed" });
    await servers.pass(MINUTE_MS);
    for (const { id } of servers.tasks) servers.running.add(id);
    await servers.pass(MINUTE_MS);
    expect(servers.tasks.map(({ name, serialized }) => [name, serialized])).toEqual([
      ["queued", true],
      ["allowed", false],
      ["queued", true],
      ["allowed", false],
    ]);
  });

  test("skip after a restart: the task that runs is known, also when ticks were skipped since, which are not missed", async () => {
    servers.set({ overlap: "skip", catchUp: "all" });
    await servers.pass(MINUTE_MS);
    servers.running.add("ta_1");
    await servers.pass(2 * MINUTE_MS);
    await servers.end();
    await servers.start();
    servers.set({ overlap: "skip", catchUp: "all" });
    await servers.pass(2 * MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01"]);
    servers.running.clear();
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:06"]);
  });
});

describe("while no server is there", () => {
  const missed = async (catchUp: "none" | "last" | "all", awayMs = 3 * MINUTE_MS): Promise<string[]> => {
    servers.set({ catchUp });
    await servers.pass(MINUTE_MS);
    await servers.end();
    await servers.pass(awayMs);
    await servers.start();
    servers.set({ catchUp });
    await servers.settled();
    return servers.ticks();
  };

  test("none: what was missed is not made up for", async () => {
    expect(await missed("none")).toEqual(["12:01"]);
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:05"]);
  });

  test("last: one task stands for all", async () => expect(await missed("last")).toEqual(["12:01", "12:04"]));
  test("all: each has its own", async () => expect(await missed("all")).toEqual(["12:01", "12:02", "12:03", "12:04"]));
  test("all: at most the newest hundred", async () => expect(await missed("all", 500 * MINUTE_MS)).toHaveLength(101));

  test("the first tick of a new schedule is made up for, too", async () => {
    servers.set({ cron: "0 13 * * *", catchUp: "last" });
    await servers.settled();
    await servers.end();
    await servers.pass(2 * HOUR_MS);
    await servers.start();
    servers.set({ cron: "0 13 * * *", catchUp: "last" });
    await servers.settled();
    expect(servers.ticks()).toEqual(["13:00"]);
  });

  test("ticks that are made up for don't skip one another: they wait", async () => {
    servers.set({ catchUp: "all", overlap: "skip" });
    await servers.settled();
    await servers.end();
    await servers.pass(3 * MINUTE_MS);
    await servers.start();
    servers.set({ catchUp: "all", overlap: "skip" }, { isOver: async () => false });
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:01", "12:02", "12:03"]);
    expect(servers.tasks.every(({ serialized }) => serialized)).toBe(true);
  });

  test("a server that died after it put a task and before it noted that puts no second one", async () => {
    servers.set({ catchUp: "all" });
    await servers.settled();
    servers.store.failure = new Error("the disk is full");
    await servers.pass(2 * MINUTE_MS);
    servers.store.failure = null;
    await servers.end();
    await servers.start();
    servers.set({ catchUp: "all" });
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:01", "12:02"]);
    expect(servers.puts).toBe(4);
    expect(servers.store.records.get("report")).toMatchObject({ lastTickAtMs: NOON_MS + 2 * MINUTE_MS, lastTaskId: "ta_2" });
  });
});

describe("the clock", () => {
  test("a machine that slept: the newest tick is on time, those before are made up for as asked", async () => {
    servers.set({ catchUp: "none" }, { name: "none" });
    servers.set({ catchUp: "all" }, { name: "all" });
    await servers.settled();
    servers.clock.setBy(5 * MINUTE_MS);
    await servers.pass(10 * SECOND_MS);
    expect(servers.ticks("none")).toEqual(["12:05"]);
    expect(servers.ticks("all")).toEqual(["12:01", "12:02", "12:03", "12:04", "12:05"]);
  });

  test("set forward a little: nothing is lost, though the timer was set for later", async () => {
    servers.set({});
    await servers.settled();
    servers.clock.setBy(50 * SECOND_MS);
    await servers.pass(20 * SECOND_MS);
    expect(servers.ticks()).toEqual(["12:01"]);
  });

  test("set back a little: ticks that have passed don't come again", async () => {
    servers.set({});
    await servers.pass(3 * MINUTE_MS);
    servers.clock.setBy(-2 * MINUTE_MS);
    await servers.pass(2 * MINUTE_MS);
    expect(servers.puts).toBe(3);
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:02", "12:03", "12:04"]);
  });

  test("set back far: it was wrong before, and ticks go by what it says now", async () => {
    servers.clock.setBy(365 * 24 * HOUR_MS);
    servers.set({ catchUp: "none" });
    await servers.pass(MINUTE_MS);
    servers.clock.setBy(-365 * 24 * HOUR_MS);
    await servers.pass(2 * MINUTE_MS);
    expect(servers.tasks.slice(1).map(({ tickAtMs }) => clockTime(tickAtMs!))).toEqual(["12:02", "12:03"]);
  });

  test("set back far while no server was there", async () => {
    servers.clock.setBy(365 * 24 * HOUR_MS);
    servers.set({});
    await servers.pass(MINUTE_MS);
    await servers.end();
    servers.clock.setBy(-365 * 24 * HOUR_MS);
    await servers.start();
    servers.set({});
    await servers.pass(MINUTE_MS);
    expect(servers.tasks).toHaveLength(2);
  });
});

describe("pause and resume", () => {
  test("no ticks while it is paused, and none is made up for", async () => {
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    expect(await servers.schedules.pause("report")).toMatchObject({ state: "paused", nextRunsAtMs: [] });
    await servers.pass(5 * MINUTE_MS);
    expect(await servers.schedules.resume("report")).toMatchObject({ state: "active", nextRunsAtMs: expect.arrayContaining([NOON_MS + 7 * MINUTE_MS]) });
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:07"]);
  });

  test("it stays paused over a restart, and what was paused before one is not missed after it", async () => {
    servers.set({ catchUp: "all" });
    await servers.schedules.pause("report");
    await servers.end();
    await servers.start();
    servers.set({ catchUp: "all" });
    await servers.pass(5 * MINUTE_MS);
    expect(servers.schedules.get("report").state).toBe("paused");
    await servers.schedules.resume("report");
    await servers.end();
    await servers.pass(MINUTE_MS);
    await servers.start();
    servers.set({ catchUp: "all" });
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:06"]);
  });

  test("a pause that can't be kept is none", async () => {
    servers.set({});
    await servers.settled();
    servers.store.failure = new Error("the disk is full");
    await expect(servers.schedules.pause("report")).rejects.toThrow("the disk is full");
    expect(servers.schedules.get("report").state).toBe("active");
    servers.store.failure = null;
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01"]);
  });

  test("by hand it runs while it is paused, beside a task that runs, and not while it is stopped", async () => {
    servers.set({ overlap: "skip" });
    await servers.pass(MINUTE_MS);
    servers.running.add("ta_1");
    expect(await servers.schedules.run("report")).toBe("ta_2");
    await servers.schedules.pause("report");
    expect(await servers.schedules.run("report")).toBe("ta_3");
    expect(servers.tasks.slice(1)).toEqual([expect.objectContaining({ tickAtMs: null, serialized: false }), expect.objectContaining({ tickAtMs: null })]);
    servers.schedules.stop("report");
    await expect(servers.schedules.run("report")).rejects.toMatchObject({ code: "stopped" });
  });
});

describe("deployments", () => {
  test("stopped and started again: no ticks meanwhile, and none is made up for", async () => {
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    servers.schedules.stop("report");
    expect(servers.schedules.get("report")).toMatchObject({ state: "stopped", nextRunsAtMs: [], lastTaskId: "ta_1" });
    await servers.pass(5 * MINUTE_MS);
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:07"]);
  });

  test("stopped, and the server restarted: it is listed as stopped, and goes on from its start", async () => {
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    await servers.end();
    await servers.start();
    const fn = servers.fn({ catchUp: "all" });
    servers.schedules.set(fn, { stopped: true });
    await servers.pass(5 * MINUTE_MS);
    expect(servers.schedules.list()).toMatchObject([{ name: "Report", state: "stopped", lastTickAtMs: NOON_MS + MINUTE_MS }]);
    servers.schedules.set(fn);
    await servers.end();
    await servers.pass(MINUTE_MS);
    await servers.start();
    servers.schedules.set(fn);
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:01", "12:07"]);
  });

  test("a tick whose last task is being looked up while another version takes over is that version's, and goes by its overlap", async () => {
    const puts: string[] = [];
    const putBy = (version: string): Partial<ScheduledFunction> => ({
      functionId: version,
      put: async (_tickAtMs, { serialized }) => {
        puts.push(serialized ? `${version} serialized` : version);
        return { id: `ta_${puts.length}`, created: true };
      },
    });
    const asked = Promise.withResolvers<boolean>();
    servers.set({ overlap: "skip" }, { ...putBy("fn_1"), isOver: () => asked.promise });
    await servers.pass(2 * MINUTE_MS);
    expect(puts).toEqual(["fn_1 serialized"]);
    servers.set({ overlap: "allow" }, putBy("fn_2"));
    asked.resolve(false);
    await servers.settled();
    expect(puts).toEqual(["fn_1 serialized", "fn_2"]);
  });

  test("another version that ticks by the same text takes over without a tick lost or doubled", async () => {
    servers.set({}, { functionId: "fn_1" });
    await servers.pass(MINUTE_MS - 2);
    servers.set({}, { functionId: "fn_2" });
    await servers.pass(2);
    expect(servers.ticks()).toEqual(["12:01"]);
    expect(servers.schedules.get("report").id).toBe("fn_2");
    servers.set({}, { functionId: "fn_3" });
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:02"]);
  });

  test("another text counts from the moment it came, also when the server dies before its first tick", async () => {
    servers.set({ cron: "0 0 1 1 *", catchUp: "all" });
    await servers.settled();
    await servers.pass(10 * MINUTE_MS);
    servers.set({ everyMs: MINUTE_MS, catchUp: "all" });
    await servers.settled();
    await servers.end();
    await servers.pass(2 * MINUTE_MS);
    await servers.start();
    servers.set({ everyMs: MINUTE_MS, catchUp: "all" });
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:11", "12:12"]);
  });

  test("a tick that came at the moment of a new text is not lost", async () => {
    servers.set({});
    await servers.settled();
    servers.clock.setBy(MINUTE_MS);
    servers.set({ everyMs: HOUR_MS });
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:01"]);
  });

  test("deleted: nothing of it is kept, and one of the same name begins anew", async () => {
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    await servers.schedules.pause("report");
    await servers.schedules.remove("Report");
    expect(servers.store.records.size).toBe(0);
    expect(servers.schedules.list()).toEqual([]);
    await servers.pass(5 * MINUTE_MS);
    servers.set({ catchUp: "all" });
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:07"]);
  });

  test("a task that is put while its schedule is deleted leaves no record", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const fn = servers.fn({});
    servers.schedules.set({ ...fn, put: async (...asked) => promise.then(() => fn.put(...asked)) });
    await servers.pass(MINUTE_MS);
    await servers.schedules.remove("report");
    resolve();
    await servers.settled();
    expect(servers.ticks()).toEqual(["12:01"]);
    expect(servers.store.records.size).toBe(0);
  });

  test("of a session nothing is kept, and the end of an older one doesn't end it", async () => {
    servers.set({}, { name: "report-dev", ephemeral: true, functionId: "fn_1" });
    servers.set({}, { name: "report-dev", ephemeral: true, functionId: "fn_2" });
    await servers.pass(MINUTE_MS);
    await servers.schedules.pause("report-dev");
    await servers.schedules.resume("report-dev");
    await servers.schedules.remove("report-dev", "fn_1");
    await servers.pass(MINUTE_MS);
    expect(servers.ticks("report-dev")).toEqual(["12:01", "12:02"]);
    expect(servers.store.records.size).toBe(0);
    await servers.schedules.remove("report-dev", "fn_2");
    expect(servers.schedules.list()).toEqual([]);
  });
});

describe("when tasks can't be put", () => {
  test("the tick is tried again, later and later, till it has its task", async () => {
    servers.failure = new Error("the disk is full");
    servers.set({ everyMs: HOUR_MS });
    await servers.pass(HOUR_MS);
    for (let second = 0; second < 120; second++) await servers.pass(SECOND_MS);
    expect(servers.puts).toBeGreaterThan(5);
    expect(servers.puts).toBeLessThan(10);
    servers.failure = null;
    await servers.pass(MINUTE_MS);
    expect(servers.ticks()).toEqual(["13:00"]);
    await servers.pass(HOUR_MS);
    expect(servers.ticks()).toEqual(["13:00", "14:00"]);
  });

  test("only the newest is wanted, unless each is made up for", async () => {
    servers.failure = new Error("the disk is full");
    servers.set({ catchUp: "last" }, { name: "last" });
    servers.set({ catchUp: "all" }, { name: "all" });
    for (let minute = 1; minute <= 4; minute++) await servers.pass(MINUTE_MS);
    servers.failure = null;
    await servers.pass(50 * SECOND_MS);
    expect(servers.ticks("last")).toEqual(["12:04"]);
    expect(servers.ticks("all")).toEqual(["12:01", "12:02", "12:03", "12:04"]);
    await servers.pass(MINUTE_MS);
    expect(servers.ticks("last")).toEqual(["12:04", "12:05"]);
  });

  test("while it is tried again, pausing and stopping end that", async () => {
    servers.failure = new Error("the disk is full");
    servers.set({}, { name: "paused" });
    servers.set({}, { name: "stopped" });
    await servers.pass(MINUTE_MS);
    await servers.schedules.pause("paused");
    servers.schedules.stop("stopped");
    servers.failure = null;
    await servers.pass(5 * MINUTE_MS);
    expect(servers.tasks).toEqual([]);
  });

  test("a tick that can't be noted has its task, and the next ones come", async () => {
    servers.set({});
    await servers.settled();
    servers.store.failure = new Error("the disk is full");
    await servers.pass(2 * MINUTE_MS);
    expect(servers.ticks()).toEqual(["12:01", "12:02"]);
    expect(servers.logged).toContain("Of a schedule can't be kept its last tick");
  });
});

test("at its end it waits for what is being put, and puts nothing more", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const fn = servers.fn({});
  servers.schedules.set({ ...fn, put: async (...asked) => promise.then(() => fn.put(...asked)) });
  await servers.pass(MINUTE_MS);
  const { schedules } = servers;
  const ended = schedules.dispose();
  await servers.pass(5 * MINUTE_MS);
  resolve();
  await ended;
  await schedules.dispose();
  expect(servers.ticks()).toEqual(["12:01"]);
  expect(servers.store.records.get("report")).toMatchObject({ lastTickAtMs: NOON_MS + MINUTE_MS, lastTaskId: "ta_1" });
});
