import { describe, expect, test } from "vitest";
import { toHostPid } from "../host-pids.ts";
import { isRunning } from "../leak-check.ts";
import type { CaseContext } from "./case-context.ts";

const LONG = `
  import { fn } from "samovar";
  export const work = fn({ timeout: "60s", drainTimeout: "20s", onStart: () => "v", onStop: (ctx) => ctx.log.info("stop " + ctx.reason + " " + ctx.onStartValue) }, async (name: string, ctx) => {
    ctx.log.info("begins " + name);
    await new Promise((resolve, reject) => { globalThis["finish " + name] = resolve; ctx.signal.addEventListener("abort", () => { ctx.log.info("aborted " + name); reject(ctx.signal.reason); }); });
    return "done " + name;
  });
`;

/** docs/lifecycle.md, Stopping. */
export function stoppingCases(at: CaseContext): void {
  describe("stopping", () => {
    test("drain waits for running inputs, then stop hooks get the start value and the reason", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ onStart: () => "v", onStop: (ctx) => ctx.log.info("stop " + ctx.reason + " " + ctx.onStartValue) }, async (_: null, ctx) => {
          ctx.log.info("begins");
          for (let i = 0; i < 100; i++) await new Promise(setImmediate);
          return "done";
        });
      `);
      const call = app.call("work", null);
      await app.event("begins");
      await app.close("scale-down", null);
      expect(await call.result).toBe("done");
      expect(app.events).toEqual(["begins", "stop scale-down v"]);
    });

    test("inputs that outlast the drain are handed back: their callers get 502 and their signal fires", async (context) => {
      at.needClock(context);
      const app = await at.serve(LONG);
      const call = app.call("work", "a");
      await app.event("begins a");
      const closed = app.close("reload", 10_000);
      await app.advance(9_999);
      expect(call.failure).toBeNull();
      await app.advance(1);
      expect(await app.errorOf(call)).toMatchObject({ code: "drained", status: 502 });
      await closed;
      expect(app.events).toEqual(["begins a", "aborted a", "stop reload v"]);
    });

    test("a second stop that is in more of a hurry cuts the drain short", async () => {
      const app = await at.serve(LONG);
      const call = app.call("work", "a");
      await app.event("begins a");
      const slow = app.close("stop", null);
      const quick = app.close("stop", 0);
      expect(await app.errorOf(call)).toMatchObject({ code: "drained" });
      await Promise.all([slow, quick]);
      expect(app.events).toEqual(["begins a", "aborted a", "stop stop v"]);
    });

    test("a stop during the start phase aborts the hook's signal, skips the rest and runs no stop hook", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({
          onStart: [
            async (ctx) => { ctx.log.info("starting"); await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve)); ctx.log.info("aborted"); },
            (ctx) => ctx.log.info("second"),
          ],
          onStop: (ctx) => ctx.log.info("stop"),
        }, () => 1);
      `);
      const call = app.call("work");
      await app.event("starting");
      await app.close("stop", null);
      expect(app.events).toEqual(["starting", "aborted"]);
      expect(await app.errorOf(call)).toMatchObject({ code: "shutting_down" });
    });

    test("what waits in the queue of a pool that closes is answered", async () => {
      const app = await at.serve(LONG, { override: { maxContainers: 1 } });
      const running = app.call("work", "a");
      await app.event("begins a");
      const waiting = app.call("work", "b");
      const closed = app.close("stop", 0);
      expect(await app.errorOf(waiting)).toMatchObject({ code: "shutting_down" });
      expect(await app.errorOf(running)).toMatchObject({ code: "drained" });
      await closed;
    });

    test("singleUse: each container takes one input and stops", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        let inputs = 0;
        export const work = fn({ singleUse: true, onStop: (ctx) => ctx.log.info("stop " + ctx.reason) }, () => ++inputs);
      `);
      expect(await app.call("work").result).toBe(1);
      expect(await app.call("work").result).toBe(1);
      await app.ended(2);
      expect(app.events).toEqual(["stop single-use", "stop single-use"]);
    });

    test("maxInputsPerWorker: a worker ends after so many inputs and another takes over", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        let inputs = 0;
        export const work = fn({ maxInputsPerWorker: 2, onStop: (ctx) => ctx.log.info("stop " + ctx.reason) }, () => ++inputs);
      `);
      const results = [];
      for (let i = 0; i < 4; i++) results.push(await app.call("work").result);
      expect(results).toEqual([1, 2, 1, 2]);
      await app.event("stop max-inputs", 2);
    });

    test("SIGTERM to a runner is the same graceful stop", async (context) => {
      at.needProcesses(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ onStop: (ctx) => ctx.log.info("stop") }, async (_: null, ctx) => {
          ctx.log.info("begins");
          for (let i = 0; i < 200; i++) await new Promise(setImmediate);
          return "done";
        });
      `);
      const call = app.call("work", null);
      await app.event("begins");
      process.kill(app.active()[0]!.tree.pid!, "SIGTERM");
      expect(await call.result).toBe("done");
      await app.ended();
      expect(app.events).toEqual(["begins", "stop"]);
      expect(app.infos()).toHaveLength(1);
    });

    test("the whole process tree ends, grandchildren included", async (context) => {
      at.needProcesses(context);
      at.need(context, "killTree", true);
      const app = await at.serve(`
        import { spawn } from "node:child_process";
        import { fn } from "samovar";
        export const work = fn({}, () => spawn("sleep", ["1000"], { detached: true, stdio: "ignore" }).pid);
      `);
      const inside = (await app.call("work").result) as number;
      const pid = await toHostPid(app.active()[0]!.tree, inside);
      expect(await isRunning(pid)).toBe(true);
      await app.close("stop", null);
      expect(await isRunning(pid)).toBe(false);
    });
  });
}
