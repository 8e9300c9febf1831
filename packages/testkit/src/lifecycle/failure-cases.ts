import { describe, expect, test } from "vitest";
import { toHostPid } from "../host-pids.ts";
import type { CaseContext } from "./case-context.ts";

/** docs/lifecycle.md, When a hook fails. */
export function failureCases(at: CaseContext): void {
  describe("when a hook fails", () => {
    test("a failing start hook: the rest is skipped, no stop hook runs, the container is failed with hook, error and last lines", async () => {
      const app = await at.serve(
        `
        import { fn } from "samovar";
        function fine(ctx) { ctx.log.info("fine"); }
        async function broken(ctx) { ctx.log.info("last words"); throw new TypeError("no weights"); }
        function never(ctx) { ctx.log.info("never"); }
        export const work = fn({ onStart: [fine, broken, never], onStop: never }, () => 1);
      `,
        { startPolicy: { failuresUntilFailing: 1, retries: false } },
      );
      const error = await app.errorOf(app.call("work"));
      expect(error).toMatchObject({
        code: "start_failed",
        fields: { phase: "start", hook: "broken", lastLines: expect.arrayContaining(["fine", "last words"]) as string[] },
      });
      expect(error.message).toContain("no weights");
      await app.ended();
      expect(app.events).toEqual(["fine", "last words"]);
      expect(app.infos()[0]).toMatchObject({ state: "failed", reason: "broken: no weights" });
      expect(
        app
          .infos()[0]!
          .phases.filter((p) => p.hook === "never")
          .map((p) => p.outcome),
      ).toEqual(["skipped"]);
      expect(app.get("work").info()).toMatchObject({ state: "failing", reason: "broken: no weights" });
    });

    test("a module that throws while it loads is a failed start", async () => {
      const app = await at.serve(
        `
        import { fn, env } from "samovar";
        if (env.isRemote()) throw new RangeError("bad module");
        export const work = fn({}, () => 1);
      `,
        { startPolicy: { failuresUntilFailing: 1, retries: false } },
      );
      const error = await app.errorOf(app.call("work"));
      expect(error).toMatchObject({ code: "start_failed", fields: { phase: "load", hook: null } });
      expect(error.message).toContain("bad module");
    });

    test("a constructor that throws is a failed start", async () => {
      const app = await at.serve(
        `
        import { App, method } from "samovar";
        class Model { constructor() { throw new Error("no constructor"); } @method() x() { return 1; } }
        export const model = new App("m").cls(Model);
      `,
        { startPolicy: { failuresUntilFailing: 1, retries: false } },
      );
      expect((await app.errorOf(app.call("model", undefined, { method: "x" }))).message).toContain("no constructor");
    });

    test("tries again after 1, 2, 4 s; after 3 failures waiting and new inputs get 503 at once; it heals by itself", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        globalThis.tries ??= 0;
        export const work = fn({ onStart: (ctx) => { ctx.log.info("try " + ++globalThis.tries); if (globalThis.tries < 5) throw new Error("down " + globalThis.tries); } }, () => "served");
      `);
      const waiting = app.call("work");
      await app.event("try 1");
      await app.ended(1);
      await app.advance(999);
      expect(app.events).toEqual(["try 1"]);
      await app.advance(1);
      await app.event("try 2");
      await app.ended(2);
      expect(waiting.failure).toBeNull();
      await app.advance(2_000);
      await app.event("try 3");
      expect(await app.errorOf(waiting)).toMatchObject({ code: "start_failed" });
      await app.ended(3);
      expect(await app.errorOf(app.call("work"))).toMatchObject({ code: "start_failed", status: 503 });
      expect(app.get("work").info().state).toBe("failing");
      await app.advance(4_000);
      await app.event("try 4");
      await app.ended(4);
      await app.advance(8_000);
      await app.event("try 5");
      await app.until("it serves again", () => app.get("work").info().state === "ready");
      expect(await app.call("work").result).toBe("served");
    });

    test("a start that takes longer than startupTimeout is a failure that names the phase", async (context) => {
      at.needClock(context);
      const app = await at.serve(
        `
        import { fn } from "samovar";
        export const work = fn({ startupTimeout: "30s", onStart: async (ctx) => { ctx.log.info("hangs"); await new Promise(() => {}); } }, () => 1);
      `,
        { startPolicy: { failuresUntilFailing: 1, retries: false } },
      );
      const call = app.call("work");
      await app.event("hangs");
      await app.advance(30_000);
      const error = await app.errorOf(call);
      expect(error.message).toMatch(/30 s \(phase start, hook onStart\)/);
      await app.ended();
    });

    test("a start hook that exits the process is a failed start that tells the exit and the hook", async (context) => {
      at.needProcesses(context);
      const app = await at.serve(
        `
        import { fn } from "samovar";
        export const work = fn({ onStart: [() => 1, function openDatabase() { process.exit(3); }] }, () => 1);
      `,
        { startPolicy: { failuresUntilFailing: 1, retries: false } },
      );
      const error = await app.errorOf(app.call("work"));
      expect(error).toMatchObject({ code: "start_failed", fields: { phase: "start", hook: "openDatabase" } });
      expect(error.message).toContain("exit 3");
    });

    test("a failing stop hook is recorded and the remaining ones still run", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        function broken() { throw new Error("won't close"); }
        function after(ctx) { ctx.log.info("after"); }
        export const work = fn({ onStop: [broken, after] }, () => 1);
      `);
      await app.call("work").result;
      await app.close("stop", null);
      expect(app.events).toEqual(["after"]);
      expect(
        app
          .infos()[0]!
          .phases.filter((p) => p.phase === "stop")
          .map((p) => [p.hook, p.outcome, p.detail]),
      ).toEqual([
        ["broken", "failed", "won't close"],
        ["after", "ok", null],
      ]);
      expect(app.infos()[0]!.reason).toContain("won't close");
    });

    test("a stop hook that hangs is ended after stopGracePeriod", async (context) => {
      at.needClock(context);
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ stopGracePeriod: "5s", onStop: async (ctx) => { ctx.log.info("hangs"); await new Promise(() => {}); } }, () => 1);
      `);
      await app.call("work").result;
      const closed = app.close("stop", null);
      await app.event("hangs");
      await app.advance(10_000);
      await closed;
      expect(app.infos()[0]!.endedAtMs).not.toBeNull();
    });

    test("a failing onDeploy hook fails the deploy with its hook and last lines, and no worker starts", async () => {
      await expect(
        at.serve(`
        import { fn } from "samovar";
        function migrate(ctx) { ctx.log.info("migrating"); throw new Error("no table"); }
        export const work = fn({ onDeploy: migrate, minContainers: 1 }, () => 1);
      `),
      ).rejects.toMatchObject({ code: "deploy_failed", fields: { hook: "migrate", lastLines: expect.arrayContaining(["migrating"]) as string[] } });
    });

    test("a failing onBuild hook fails the deploy", async () => {
      await expect(
        at.serve(`
        import { fn } from "samovar";
        export const work = fn({ onBuild: function fetchModel() { throw new Error("no network"); } }, () => 1);
      `),
      ).rejects.toMatchObject({ code: "build_failed", message: expect.stringContaining("no network") as string });
    });

    test("a worker that crashes in a running container is started again and fails only its own inputs", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ workers: 2, onStart: (ctx) => ctx.log.info("start " + ctx.workerIndex) }, async (_: null, ctx) => {
          ctx.log.info("input at " + ctx.workerIndex);
          await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
          return "finished";
        });
      `);
      const calls = [app.call("work", null), app.call("work", null)];
      await app.event("input at 0");
      await app.event("input at 1");
      const container = app.active()[0]!;
      const worker = container.workers[1]!;
      if (at.setting.fake) at.setting.fake.driver.control(container.id).crash({ signal: "SIGSEGV", pid: worker.pid! });
      else process.kill(await toHostPid(container.tree, worker.pid!), "SIGSEGV");
      await app.until("the crash is told", () => calls.some((call) => call.failure));
      const [lost] = calls.filter((call) => call.failure);
      expect(lost!.failure!.error).toMatchObject({ code: "container_lost", fields: { reason: "SIGSEGV" } });
      expect(calls.filter((call) => call.failure)).toHaveLength(1);
      if (at.setting.fake) await app.advance(1_000);
      await app.event("start 1", 2);
    });
  });
}
