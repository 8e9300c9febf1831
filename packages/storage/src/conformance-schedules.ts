import { describe, expect, test } from "vitest";
import { NOW_MS, versionSample as version } from "./samples.fixture.ts";
import type { Storage } from "./storage.ts";

interface Opened {
  readonly storage: Storage;
  reopen(): Promise<Storage>;
}

const fresh = (name: string) => ({ name, pausedAtMs: null, lastTickAtMs: null, lastTaskId: null, countFromMs: null });

/** The part of the suite that is about schedules. */
export function describeSchedules(open: () => Promise<Opened>): void {
  describe("schedules", () => {
    test("a tick, a pause and from when ticks count are there after a restart, each without the others too", async () => {
      const { storage, reopen } = await open();
      expect(await storage.schedules.load()).toEqual([]);
      await storage.schedules.ticked("daily", NOW_MS, "tk_1");
      await storage.schedules.setPaused("hourly", NOW_MS + 1);
      await storage.schedules.countFrom("weekly", NOW_MS + 2);
      const expected = [
        { ...fresh("daily"), lastTickAtMs: NOW_MS, lastTaskId: "tk_1" },
        { ...fresh("hourly"), pausedAtMs: NOW_MS + 1 },
        { ...fresh("weekly"), countFromMs: NOW_MS + 2 },
      ];
      expect(await storage.schedules.load()).toEqual(expected);
      expect(await (await reopen()).schedules.load()).toEqual(expected);
    });

    test("a tick never goes back, and neither does from when they count", async () => {
      const { storage } = await open();
      const { schedules } = storage;
      await schedules.countFrom("daily", NOW_MS - 5);
      await schedules.ticked("daily", NOW_MS, "tk_1");
      await schedules.ticked("daily", NOW_MS - 1, "tk_0");
      await schedules.ticked("daily", NOW_MS, "tk_2");
      await schedules.countFrom("daily", NOW_MS - 9);
      expect(await schedules.load()).toEqual([{ ...fresh("daily"), lastTickAtMs: NOW_MS, lastTaskId: "tk_1", countFromMs: NOW_MS - 5 }]);
      await schedules.ticked("daily", NOW_MS + 1, null);
      await schedules.countFrom("daily", NOW_MS);
      expect(await schedules.load()).toEqual([{ ...fresh("daily"), lastTickAtMs: NOW_MS + 1, countFromMs: NOW_MS }]);
    });

    test("pausing and resuming keep the tick; what is removed begins anew", async () => {
      const { storage } = await open();
      const { schedules } = storage;
      await schedules.ticked("daily", NOW_MS, "tk_1");
      await schedules.setPaused("daily", NOW_MS + 1);
      expect(await schedules.load()).toMatchObject([{ pausedAtMs: NOW_MS + 1, lastTickAtMs: NOW_MS }]);
      await schedules.setPaused("daily", null);
      expect(await schedules.load()).toMatchObject([{ pausedAtMs: null, lastTickAtMs: NOW_MS, lastTaskId: "tk_1" }]);
      await schedules.remove("daily");
      await schedules.remove("nobody");
      expect(await schedules.load()).toEqual([]);
      await schedules.ticked("daily", 1, null);
      expect(await schedules.load()).toEqual([{ ...fresh("daily"), lastTickAtMs: 1 }]);
    });

    test("removing its deployment removes it in the same change, and no other", async () => {
      const { storage, reopen } = await open();
      const { schedules, deployments } = storage;
      const names = ["Daily", "weekly"];
      await deployments.begin(names);
      await deployments.activate(
        "text",
        names.map((name) => version(name, 1)),
        [],
      );
      for (const name of ["daily", "weekly"]) await schedules.ticked(name, NOW_MS, "tk_1");
      expect(await deployments.remove("Daily")).toBe(true);
      const later = await reopen();
      expect((await later.schedules.load()).map(({ name }) => name)).toEqual(["weekly"]);
      expect((await later.deployments.load()).deployments.map(({ name }) => name)).toEqual(["weekly"]);
    });
  });
}
