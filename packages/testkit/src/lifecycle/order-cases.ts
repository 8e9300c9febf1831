import { describe, expect, test } from "vitest";
import type { CaseContext } from "./case-context.ts";

/** docs/lifecycle.md, Order. */
export function orderCases(at: CaseContext): void {
  describe("order", () => {
    test("load, start hooks one after another, inputs, stop hooks: each awaited before the next", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        const loaded = ["module"];
        const pause = () => new Promise((resolve) => setImmediate(resolve));
        const slow = (name) => async (ctx) => { ctx.log.info(name + " begins"); await pause(); ctx.log.info(name + " ends"); return name; };
        export const work = fn({
          onStart: [(ctx) => { for (const l of loaded) ctx.log.info(l); }, slow("start 1"), slow("start 2")],
          onStop: [slow("stop 1"), slow("stop 2")],
        }, async (x: number, ctx) => { ctx.log.info("input"); return [x, ctx.onStartValue]; });
      `);
      expect(await app.call("work", 7).result).toEqual([7, [undefined, "start 1", "start 2"]]);
      await app.close("stop", null);
      expect(app.events).toEqual([
        "module",
        "start 1 begins",
        "start 1 ends",
        "start 2 begins",
        "start 2 ends",
        "input",
        "stop 1 begins",
        "stop 1 ends",
        "stop 2 begins",
        "stop 2 ends",
      ]);
    });

    test("no input reaches a worker before its last start hook has returned", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        let started = false;
        export const work = fn({ concurrency: 4, onStart: async () => { for (let i = 0; i < 50; i++) await new Promise(setImmediate); started = true; } }, () => started);
      `);
      expect(await Promise.all([1, 2, 3, 4].map(() => app.call("work").result))).toEqual([true, true, true, true]);
    });

    test("no stop hook runs while the worker holds an input", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ onStop: (ctx) => ctx.log.info("stop") }, async (_: null, ctx) => {
          ctx.log.info("begins");
          for (let i = 0; i < 200; i++) await new Promise(setImmediate);
          ctx.log.info("ends");
        });
      `);
      const call = app.call("work", null);
      await app.event("begins");
      await app.close("stop", null);
      await call.result;
      expect(app.events).toEqual(["begins", "ends", "stop"]);
    });

    test("classes: base before derived, then as written, an override once in its base's place", async () => {
      const app = await at.serve(`
        import { App, method, onStart, onStop } from "samovar";
        class Base {
          protected seen: string[] = [];
          @onStart() protected zeta(ctx) { ctx.log.info("base zeta"); }
          @onStart() protected alpha(ctx) { ctx.log.info("base alpha"); }
          @onStop() protected bye(ctx) { ctx.log.info("base bye"); }
          @onStop() #secret(ctx) { ctx.log.info("base #secret"); }
        }
        class Model extends Base {
          @onStart() protected own(ctx) { ctx.log.info("derived own"); }
          protected override alpha(ctx) { ctx.log.info("derived alpha"); }
          @onStop() protected last(ctx) { ctx.log.info("derived last"); }
          @method() ping() { return "pong"; }
        }
        export const model = new App("m").cls(Model);
      `);
      expect(await app.call("model", undefined, { method: "ping" }).result).toBe("pong");
      await app.close("stop", null);
      expect(app.events).toEqual(["base zeta", "derived alpha", "derived own", "base bye", "base #secret", "derived last"]);
    });

    test("start hooks marked for the snapshot run before the others", async () => {
      const app = await at.serve(`
        import { App, method, onStart } from "samovar";
        class Base { @onStart() protected connect(ctx) { ctx.log.info("connect"); } }
        class Model extends Base {
          @onStart() protected last(ctx) { ctx.log.info("last"); }
          @onStart({ snapshot: true }) protected load(ctx) { ctx.log.info("load"); }
          @method() ping() { return "pong"; }
        }
        export const model = new App("m").cls(Model);
      `);
      await app.call("model", undefined, { method: "ping" }).result;
      expect(app.events).toEqual(["load", "connect", "last"]);
    });

    test("onBuild, then onDeploy once, before any worker; what onDeploy returned is in every worker", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({
          workers: 2,
          onBuild: (ctx) => ctx.log.info("build"),
          onDeploy: (ctx) => { ctx.log.info("deploy " + ctx.version); return { rev: "a" }; },
          onStart: (ctx) => ctx.log.info("start " + ctx.onDeployValue.rev),
        }, (_: null, ctx) => ctx.onDeployValue.rev);
      `);
      expect(await app.call("work", null).result).toBe("a");
      await app.event("start a", 2);
      expect(app.events).toEqual(["build", "deploy 1", "start a", "start a"]);
    });

    test("onDeploy of a class runs on the class, without an instance", async () => {
      const app = await at.serve(`
        import { App, method, onDeploy } from "samovar";
        let made = 0;
        class Model {
          static tag = "static";
          constructor() { made++; }
          @onDeploy() protected static async prepare(ctx) { ctx.log.info(this.tag + " " + made); return made; }
          @method() deployed(_: null, ctx) { return ctx.onDeployValue; }
        }
        export const model = new App("m").cls(Model);
      `);
      expect(await app.call("model", null, { method: "deployed" }).result).toBe(0);
      expect(app.events).toEqual(["static 0"]);
    });

    test("start and stop hooks run once per worker", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        export const work = fn({ workers: 3, onStart: (ctx) => ctx.log.info("start " + ctx.workerIndex), onStop: (ctx) => ctx.log.info("stop " + ctx.workerIndex) }, () => 1);
      `);
      await app.call("work").result;
      await app.until("a container with all workers ready", () => app.active()[0]?.state === "ready");
      await app.close("stop", null);
      expect(app.events.toSorted()).toEqual(["start 0", "start 1", "start 2", "stop 0", "stop 1", "stop 2"]);
      expect(app.infos()).toHaveLength(1);
    });

    test("each set of constructor arguments has its own containers", async () => {
      const app = await at.serve(`
        import { App, method, onStart } from "samovar";
        class Model {
          size: string;
          constructor(size: "small" | "large" = "small") { this.size = size; }
          @onStart() protected load(ctx) { ctx.log.info("start " + this.size); }
          @method() which() { return this.size; }
        }
        export const model = new App("m").cls(Model);
      `);
      expect(await app.call("model", undefined, { method: "which" }).result).toBe("small");
      expect(await app.call("model", undefined, { method: "which", with: ["large"] }).result).toBe("large");
      expect(await app.call("model", undefined, { method: "which", with: ["large"] }).result).toBe("large");
      expect(app.events).toEqual(["start small", "start large"]);
      expect(app.infos().map((info) => info.parameters)).toEqual([[], ["large"]]);
    });

    test("phases are recorded with their hooks, durations and outcomes", async () => {
      const app = await at.serve(`
        import { fn } from "samovar";
        async function warm() {}
        function close() {}
        export const work = fn({ onStart: warm, onStop: close }, () => 1);
      `);
      await app.call("work").result;
      await app.close("stop", null);
      const phases = app.infos()[0]!.phases.map(({ phase, hook, outcome }) => `${phase} ${hook ?? "-"} ${outcome}`);
      expect(phases).toEqual(["create - ok", "load - ok", "start warm ok", "ready - ok", "drain - ok", "stop close ok", "exit - ok"]);
    });
  });
}
