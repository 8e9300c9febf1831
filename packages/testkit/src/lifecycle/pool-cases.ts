import { describe, expect, test } from "vitest";
import type { CaseContext } from "./case-context.ts";

const QUICK = `
  import { fn } from "samovar";
  export const work = fn({ scaledownWindow: "60s", onStop: (ctx) => ctx.log.info("stop " + ctx.reason) }, async (_: null, ctx) => { await new Promise(setImmediate); return ctx.containerId; });
`;
const HELD = `
  import { fn } from "samovar";
  globalThis.finish ??= [];
  export const work = fn({ tasksPerContainer: 1 }, async (name: string, ctx) => { ctx.log.info("begins " + name); await new Promise((resolve) => globalThis.finish.push(resolve)); return ctx.containerId; });
`;

const TWO = `
  import { fn } from "samovar";
  const options = { onStop: (ctx) => ctx.log.info("stop " + ctx.reason) };
  export const first = fn(options, async (_: null, ctx) => ctx.containerId);
  export const second = fn(options, async (_: null, ctx) => ctx.containerId);
`;
const BUSY = `
  import { fn } from "samovar";
  export const other = fn({}, async () => 1);
  export const work = fn({}, async (name: string, ctx) => {
    ctx.log.info("begins " + name);
    await new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason)));
  });
`;
/** Room for one container of the defaults. */
const ONE = { memoryMib: 640, cpuMillis: 1_000 };

/** The pool: when containers start, which one gets the work, when they go. */
export function poolCases(at: CaseContext): void {
  describe("pool", () => {
    test("nothing runs before it is needed, and a container that is there is used again", async () => {
      const app = await at.serve(QUICK);
      expect(app.infos()).toEqual([]);
      const first = await app.call("work", null).result;
      expect(await app.call("work", null).result).toBe(first);
      expect(app.infos()).toHaveLength(1);
    });

    test("a call says whether it met a cold start", async () => {
      const app = await at.serve(QUICK);
      const cold = app.call("work", null);
      await cold.result;
      expect((await cold.started).coldStart).toBe(true);
      if (at.setting.fake) await app.advance(10);
      else await new Promise(setImmediate);
      const warm = app.call("work", null);
      await warm.result;
      expect((await warm.started).coldStart).toBe(false);
    });

    test("the floor is kept from the start on", async () => {
      const app = await at.serve(QUICK, { override: { minContainers: 2 } });
      await app.until("two ready containers", () => app.active().filter((c) => c.state === "ready").length === 2);
      const call = app.call("work", null);
      await call.result;
      expect(app.infos()).toHaveLength(2);
    });

    test("an idle container goes after its window, down to zero, and its stop hook says idle", async (context) => {
      at.needClock(context);
      const app = await at.serve(QUICK);
      await app.call("work", null).result;
      await app.advance(59_000);
      await app.call("work", null).result;
      await app.advance(59_000);
      expect(app.events).toEqual([]);
      await app.advance(2_000);
      await app.event("stop idle");
      await app.ended();
      expect(app.get("work").info()).toMatchObject({ state: "idle", containers: { starting: 0, ready: 0, draining: 0 } });
    });

    test("the floor outlives the window", async (context) => {
      at.needClock(context);
      const app = await at.serve(QUICK, { override: { minContainers: 1 } });
      await app.until("ready", () => app.active().some((c) => c.state === "ready"));
      await app.advance(3_600_000);
      expect(app.active()).toHaveLength(1);
    });

    test("work goes to the most recently used container, so that the rest can go idle", async (context) => {
      at.needClock(context);
      const app = await at.serve(HELD);
      const finish = (): void => (globalThis as unknown as { finish: (() => void)[] }).finish.splice(0).forEach((resolve) => resolve());
      const both = [app.call("work", "a"), app.call("work", "b")];
      await app.event("begins a");
      await app.event("begins b");
      finish();
      const used = await Promise.all(both.map((call) => call.result));
      expect(new Set(used).size).toBe(2);
      const next = app.call("work", "c");
      await app.event("begins c");
      finish();
      const third = await next.result;
      const again = app.call("work", "d");
      await app.event("begins d");
      finish();
      expect(await again.result).toBe(third);
      await app.advance(60_000);
      await app.until("the other went", () => app.active().length <= 1);
    });

    test("never more than maxContainers; the rest waits and says why", async () => {
      const app = await at.serve(HELD, { override: { maxContainers: 1 } });
      const first = app.call("work", "a");
      await app.event("begins a");
      const second = app.call("work", "b");
      expect(app.get("work").info()).toMatchObject({ pending: 1, running: 1, reason: "maxContainers is 1 and it is busy" });
      expect(app.infos()).toHaveLength(1);
      first.cancel();
      second.cancel();
    });

    test("beyond maxPendingTasks inputs are refused with 429", async () => {
      const app = await at.serve(HELD, { override: { maxContainers: 1, maxPendingTasks: 1 } });
      const calls = [app.call("work", "a")];
      await app.event("begins a");
      calls.push(app.call("work", "b"));
      expect(await app.errorOf(app.call("work", "c"))).toMatchObject({ code: "too_many_pending", status: 429 });
      for (const call of calls) call.cancel();
    });

    test("an input that waited for queueTimeout gets 503 no_capacity", async (context) => {
      at.needClock(context);
      const app = await at.serve(HELD, { override: { maxContainers: 1, queueTimeoutMs: 7_000, timeoutMs: null } });
      const first = app.call("work", "a");
      await app.event("begins a");
      const waiting = app.call("work", "b");
      await app.advance(6_999);
      expect(waiting.failure).toBeNull();
      await app.advance(1);
      expect(await app.errorOf(waiting)).toMatchObject({
        code: "no_capacity",
        status: 503,
        message: "No container of work had room within 7 s (queueTimeout): maxContainers is 1 and it is busy",
        fields: { waitedMs: 7_000, queued: 1, reason: "maxContainers is 1 and it is busy" },
      });
      first.cancel();
    });

    test("when the host is full an idle container of another function gives way, with its stop hooks, and says why", async () => {
      const app = await at.serve(TWO, { host: ONE });
      const idle = await app.call("first", null).result;
      const used = await app.call("second", null).result;
      expect(used).not.toBe(idle);
      expect(app.events).toEqual(["stop room"]);
      expect(app.infos().find(({ id }) => id === idle)).toMatchObject({ state: "ended", reason: "room" });
    });

    test("a busy container does not give way; who waits says so, and is served when it is idle", async () => {
      const app = await at.serve(BUSY, { host: ONE });
      const busy = app.call("work", "a");
      await app.event("begins a");
      const waiting = app.call("other", undefined);
      expect(app.get("other").info()).toMatchObject({
        pending: 1,
        reason: expect.stringMatching(/^the host is full: needs 512 MiB of memory, 0 of 512 MiB are free.*; 1 container of other functions is busy$/),
      });
      busy.cancel();
      await app.errorOf(busy);
      expect(await waiting.result).toBe(1);
    });

    test("a floor does not give way", async () => {
      const app = await at.serve(TWO, { host: { memoryMib: 1_280, cpuMillis: 1_000 }, override: { minContainers: 1 } });
      await app.until("both floors", () => app.active().filter((c) => c.state === "ready").length === 2);
      const kept = await app.call("first", null).result;
      expect(await app.call("second", null).result).not.toBe(kept);
      expect(await app.call("first", null).result).toBe(kept);
      expect(app.events).toEqual([]);
    });

    test("what could never fit is refused at once, with what it asks and what there is", async () => {
      const app = await at.serve(QUICK, { host: ONE, override: { memoryMib: 4_096, memoryRequestMib: 4_096 } });
      expect(await app.errorOf(app.call("work", null))).toMatchObject({
        code: "no_capacity",
        message: "work can never run on this host: it needs 4096 MiB of memory, this host has 512 MiB for containers",
      });
      expect(app.infos()).toEqual([]);
    });

    test("a live pool can be scaled: a floor starts containers, a ceiling holds, and a floor above it is refused", async () => {
      const app = await at.serve(QUICK);
      app.get("work").scale({ minContainers: 2, maxContainers: 2 });
      await app.until("two ready containers", () => app.active().filter((c) => c.state === "ready").length === 2);
      expect(() => app.get("work").scale({ minContainers: 3 })).toThrow(expect.objectContaining({ code: "invalid_option" }));
      app.get("work").scale({ minContainers: 0, maxContainers: 1 });
      await app.event("stop scale-down");
      await app.call("work", null).result;
      expect(app.active()).toHaveLength(1);
    });

    test("an input whose caller left while it waited is never run", async () => {
      const app = await at.serve(HELD, { override: { maxContainers: 1 } });
      const first = app.call("work", "a");
      await app.event("begins a");
      const waiting = app.call("work", "b");
      waiting.hangUp();
      expect(await app.errorOf(waiting)).toMatchObject({ code: "cancelled" });
      expect(app.get("work").info().pending).toBe(0);
      first.cancel();
      await app.errorOf(first);
      expect(app.events).toEqual(["begins a"]);
    });
  });
}
