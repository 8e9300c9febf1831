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
      expect(await app.errorOf(waiting)).toMatchObject({ code: "no_capacity", status: 503 });
      first.cancel();
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
